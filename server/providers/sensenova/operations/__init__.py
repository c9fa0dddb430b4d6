"""What SenseNova does: one class for each capability, with its plan and its payload."""
