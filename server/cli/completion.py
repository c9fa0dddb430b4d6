"""``atelier completion SHELL``: a script that completes commands, options, tools and their arguments.

Everything is written into the script: a shell that asks at each key cannot wait for a Python to start. After an
upgrade it is made anew with the next shell, where it is evaluated at its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server.cli.parser import build_command_parsers

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from atelier_mcp.server.settings import Settings

PROGRAMS: Final = ("atelier", "atelier-mcp")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the script."""
    print(_SCRIPTS[arguments.shell](_collect_words(settings)))
    return 0


class _Words(NamedTuple):
    """What can follow what."""

    options: dict[str, list[str]]
    """By command."""
    choices: dict[str, list[str]]
    """Values, by command, and by command and option with a space between: not all mean the same by one name."""
    tools: dict[str, list[str]]
    """Arguments, by tool."""

    @property
    def commands(self) -> list[str]:
        """All commands."""
        return list(self.options)


def _collect_words(settings: Settings) -> _Words:
    from atelier_mcp.server import registry
    from atelier_mcp.server.cli.hosts.catalog import HOSTS

    options: dict[str, list[str]] = {}
    choices: dict[str, list[str]] = {"setup": [host.name for host in HOSTS]}
    for name, parser in build_command_parsers().items():
        actions = parser._actions  # noqa: SLF001  # argparse has no other way to list them
        options[name] = [option for action in actions for option in action.option_strings if option.startswith("--")]
        for action in actions:
            for key in [f"{name} {option}" for option in action.option_strings] or [name]:
                if action.choices:
                    choices[key] = [str(choice) for choice in action.choices]
    definitions = registry.discover(toolsets=settings.toolsets).definitions
    return _Words(options, choices, {d.name: d.build_arguments().visible_names for d in definitions})


def _build_bash_script(words: _Words) -> str:
    options = "\n".join(f"    {name}) words='{' '.join(names)}' ;;" for name, names in words.options.items())
    choices = "\n".join(
        f"    '{key}') words='{' '.join(values)}' ;;" for key, values in words.choices.items() if " " in key
    )
    plain = "\n".join(
        f'    {name}) words="$words {" ".join(values)}" ;;' for name, values in words.choices.items() if " " not in name
    )
    arguments = "\n".join(
        f'      {tool}) words="$words {" ".join(f"{name}=" for name in names)}" ;;'
        for tool, names in words.tools.items()
    )
    return f"""# Completion of atelier for bash: eval "$(atelier completion bash)"
_atelier() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{" ".join(words.commands)} --help --version' -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}} $previous" in
{choices}
    *' --out'|*' --from'|*' --access-log'|*' --state') COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); return; fi
  case "${{COMP_WORDS[1]}}" in
{options}
  esac
  case "${{COMP_WORDS[1]}}" in
{plain}
    tools) words="$words {" ".join(words.tools)}" ;;
    call)
      if [ "$COMP_CWORD" -eq 2 ]; then words="$words {" ".join(words.tools)}"; else
      case "${{COMP_WORDS[2]}}" in
{arguments}
      esac; compopt -o nospace 2>/dev/null; fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _atelier {" ".join(PROGRAMS)}"""


def _build_zsh_script(words: _Words) -> str:
    # zsh runs bash's completions once its bridge is loaded.
    bash = _build_bash_script(words).partition("\n")[2]
    return f"""# Completion of atelier for zsh: eval "$(atelier completion zsh)"
autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
{bash}"""


def _build_fish_script(words: _Words) -> str:
    lines = ["# Completion of atelier for fish: atelier completion fish | source"]
    for program in PROGRAMS:
        names = " ".join(words.commands)
        lines.append(f"complete -c {program} -f -n __fish_use_subcommand -a '{names}'")
        for command, options in words.options.items():
            seen = f"'__fish_seen_subcommand_from {command}'"
            for option in options:
                values = words.choices.get(f"{command} {option}")
                tail = f" -x -a '{' '.join(values)}'" if values else ""
                lines.append(f"complete -c {program} -n {seen} -l {option.removeprefix('--')}{tail}")
            if command in words.choices:
                lines.append(f"complete -c {program} -f -n {seen} -a '{' '.join(words.choices[command])}'")
            if command in ("tools", "call"):
                lines.append(f"complete -c {program} -f -n {seen} -a '{' '.join(words.tools)}'")
        for tool, arguments in words.tools.items():
            listed = " ".join(f"{name}=" for name in arguments)
            lines.append(f"complete -c {program} -f -n '__fish_seen_subcommand_from {tool}' -a '{listed}'")
    return "\n".join(lines)


_SCRIPTS: Final[dict[str, Callable[[_Words], str]]] = {
    "bash": _build_bash_script,
    "zsh": _build_zsh_script,
    "fish": _build_fish_script,
}
