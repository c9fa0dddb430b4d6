"""SenseNova: conversations answered in words, or with a picture drawn by Miaohua."""
