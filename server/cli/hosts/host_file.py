"""A host's configuration file: read, changed in the one entry that is ours, and written with a copy kept."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.cli.hosts import jsonc, toml, yaml
from atelier_mcp.server.cli.hosts.found_entry import ADDRESS_KEYS, COMMAND_KEYS, SWITCH_KEYS, read_entry
from atelier_mcp.server.cli.hosts.host import ENTRY_NAME
from atelier_mcp.server.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atelier_mcp.server.cli.hosts.found_entry import FoundEntry
    from atelier_mcp.server.cli.hosts.host import Host, ServerEntry

_MARK: Final = "\ufeff"
MAX_FILE_BYTES: Final = 50_000_000
"""Larger than any configuration; some hosts keep their history in the same file."""


class HostFile:
    """The file of one host at one place."""

    def __init__(self, host: Host, path: Path) -> None:
        """The file need not exist."""
        self.host = host
        other = path.with_name(host.other_name) if host.other_name else path
        path = path if path.exists() or not other.exists() else other
        # Through links: people keep their configuration elsewhere and link to it, and a link must stay one.
        self.path: Path = _follow_links(path) if path.is_symlink() else path

    def read(self) -> str:
        """The text; empty where there is no file. Raises ``ConfigurationError`` where it cannot be read."""
        try:
            if self.path.exists() and self.path.stat().st_size > MAX_FILE_BYTES:
                raise ConfigurationError(f"{self.path} is too large for a configuration.")
            # As bytes: newlines stay what they are.
            return self.path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as err:
            reason = err.strerror if isinstance(err, OSError) else "it is not UTF-8"
            raise ConfigurationError(f"{self.path} cannot be read: {reason}.") from err

    def find_entry(self, text: str) -> FoundEntry | None:
        """Our entry, as far as it can be read; None where there is none.

        Raises ``ConfigurationError`` for a file that its host cannot read either.
        """
        text = text.removeprefix(_MARK)
        try:
            if self.host.file_format == "yaml":
                return _find_yaml_entry(text, self.host)
            document: Any = jsonc.parse(text) if self.host.file_format == "json" else toml.parse(text)
        except ValueError as err:
            raise ConfigurationError(f"{self.path} cannot be read: {str(err).rstrip('.')}.") from err
        for key in (*self.host.section, ENTRY_NAME):
            document = cast("dict[str, Any]", document).get(key) if isinstance(document, dict) else None
        return None if document is None else read_entry(document)

    def set_entry(self, text: str, server: ServerEntry) -> str:
        """The text with our entry. Raises ``ConfigurationError`` where it cannot be changed safely."""
        try:
            return _keep_form(text if text.strip() else self.host.new_file, lambda plain: self._set(plain, server))
        except ValueError as err:
            raise self._build_error(err, f"Add this yourself:\n{build_document(self.host, server)}") from err

    def _set(self, text: str, server: ServerEntry) -> str:
        values, path = self.host.build_entry(server), (*self.host.section, ENTRY_NAME)
        match self.host.file_format:
            case "json":
                changed = jsonc.set_member(text, path, values)
                _check_json(text, changed, path, values)
                return changed
            case "toml":
                return toml.set_table(text, path, values)
            case "yaml":
                return yaml.set_entry(text, self.host.section[0], ENTRY_NAME, values, is_list=self.host.is_list)

    def remove_entry(self, text: str) -> str:
        """The text without our entry. Raises ``ConfigurationError`` where it cannot be changed safely."""
        try:
            return _keep_form(text, self._remove)
        except ValueError as err:
            raise self._build_error(err, f"Take out {'.'.join((*self.host.section, ENTRY_NAME))} yourself.") from err

    def _remove(self, text: str) -> str:
        path = (*self.host.section, ENTRY_NAME)
        match self.host.file_format:
            case "json":
                changed = jsonc.remove_member(text, path)
                if changed != text:
                    _check_json(text, changed, path, None)
                return changed
            case "toml":
                return toml.remove_table(text, path)
            case "yaml":
                return yaml.remove_entry(text, self.host.section[0], ENTRY_NAME, is_list=self.host.is_list)

    def write(self, text: str) -> Path | None:
        """Write the file, whole or not at all; returns the copy of what was there before, if there was anything."""
        from atelier_mcp.server.images.atomic import stage_file

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            backup = self._keep_copy()
            with stage_file(self.path.parent, text.encode()) as staged:
                if self.path.exists():
                    staged.chmod(self.path.stat().st_mode & 0o777)
                staged.replace(self.path)
        except OSError as err:
            raise ConfigurationError(f"{self.path} cannot be written: {err.strerror or err}.") from err
        return backup

    def _keep_copy(self) -> Path | None:
        """A copy beside the file, under a name that is free: an earlier copy may be the one that matters."""
        if not self.path.exists():
            return None
        names = (f"{self.path.name}.atelier-backup{f'-{n}' if n else ''}" for n in range(1000))
        backup = next(path for path in map(self.path.with_name, names) if not path.exists())
        # Readable by its owner alone, whatever the umask: keys may stand in it.
        descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(self.path.read_bytes())
        return backup

    def _build_error(self, err: ValueError, hint: str = "") -> ConfigurationError:
        return ConfigurationError(f"{self.path} is left as it is: {str(err).rstrip('.')}.", hint=hint)


def build_document(host: Host, server: ServerEntry) -> str:
    """A file of this host with our entry alone."""
    values, path = host.build_entry(server), (*host.section, ENTRY_NAME)
    match host.file_format:
        case "json":
            return jsonc.set_member("", path, values)
        case "toml":
            return toml.set_table("", path, values)
        case "yaml":
            return yaml.set_entry(host.new_file, host.section[0], ENTRY_NAME, values, is_list=host.is_list)


def _follow_links(path: Path) -> Path:
    """Where a link leads; one that leads back to itself is left to whoever opens it."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # the latter before Python 3.13
        return path


def _keep_form(text: str, change: Callable[[str], str]) -> str:
    """The changed text, with its byte order mark, and with lines that end as Windows has them where all of them did."""
    plain = text.removeprefix(_MARK)
    mark, is_windows = text[: len(text) - len(plain)], 0 < plain.count("\n") == plain.count("\r\n")
    changed = change(plain.replace("\r\n", "\n") if is_windows else plain)
    return mark + (changed.replace("\n", "\r\n") if is_windows else changed)


def _check_json(text: str, changed: str, path: tuple[str, ...], values: dict[str, Any] | None) -> None:
    """Raise ``ValueError`` unless the change did what it should and nothing else."""
    expected: Any = jsonc.parse(text)
    parent = expected
    for key in path[:-1]:
        if values is not None and parent.get(key) is None:
            parent[key] = dict[str, Any]()
        parent = parent.get(key, dict[str, Any]())
    if values is not None:
        parent[path[-1]] = values
    else:
        parent.pop(path[-1], None)
    if json.dumps(jsonc.parse(changed)) != json.dumps(expected):
        raise ValueError("it is written in a way that is not changed by itself")


def _find_yaml_entry(text: str, host: Host) -> FoundEntry | None:
    """The lines that can be read without a library: those with a value of their own, and none of the arguments."""
    entry = yaml.find_entry_text(text, host.section[0], ENTRY_NAME, is_list=host.is_list)
    return read_entry(yaml.read_fields(entry, (*COMMAND_KEYS, *ADDRESS_KEYS, *SWITCH_KEYS))) if entry else None
