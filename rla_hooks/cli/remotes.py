"""``rla remote``: the log roots on other machines that have a name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rla_hooks.cli.common import Json, LogRoot, NotWritten, app
from rla_hooks.cli.objects import print_json
from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError, did_you_mean
from rla_hooks.texts import counted, printable, shown

_ACTIONS = ("list", "add", "rm", "test")


@app.command("remote")
def remote(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="list, add, rm or test.")] = "list",
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The name of the remote; test takes a URL, too.")
    ] = None,
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="Its address, such as ssh://me@lab/data/rla.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Of the connection: client_keys=~/.ssh/lab. Repeatable."),
    ] = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """List the log roots on other machines, name one, or test whether it can be used.

    Addresses are ssh://, sftp://, ftp://, ftps://, s3://, gs:// and file://. A password is the name of a variable, in
    quotes. The names are kept in remotes.json of the log root; config is the one of REMOTE_SETTING. rm forgets a name,
    and deletes nothing there.

    Examples:

        rla remote add lab ssh://me@lab/data/rla_data
        rla remote add nas 'ftps://me:${NAS_PASSWORD}@nas/rla'
        rla remote test lab
    """
    from rla_hooks.remote.address import Address
    from rla_hooks.remote.named import add_remote, named_remotes, remove_remote, resolve

    root = Path(log_root_of(log_root))
    if action not in _ACTIONS:
        near = did_you_mean(action, _ACTIONS)
        raise ConfigError(f"rla remote has no {shown(action, 100)}.{near} Allowed: {', '.join(_ACTIONS)}.")
    if action == "add":
        if name is None or url is None:
            raise ConfigError("rla remote add needs a name and a URL: rla remote add lab ssh://me@lab/data/rla_data")
        root.mkdir(parents=True, exist_ok=True)
        former = named_remotes(root).get(name)
        add_remote(root, name, Address.parse(url, _options(option or [])))
        print(f"{name} {f'replaced: it was {former}' if former else 'added'}. Try it: rla remote test {name}")
        return
    if url is not None or option or (action == "list" and name is not None):
        raise ConfigError(
            f"rla remote {action} takes {'no name' if action == 'list' else 'one name'}. To name one: add"
        )
    if action == "rm":
        if name is None:
            raise ConfigError("rla remote rm needs the name of a remote. See them: rla remote")
        remove_remote(root, name)
        print(f"{name} has no name any more; nothing was deleted there")
        return
    if action == "test":
        _test(resolve(name, root))
        return
    known = named_remotes(root)
    if as_json:
        print_json([{"name": name, "url": str(address)} for name, address in known.items()])
    elif known:
        width = max(map(len, known))
        print("\n".join(printable(f"{name:{width}}  {address}") for name, address in known.items()))
    else:
        print("no remote is named. Add one: rla remote add NAME URL", file=sys.stderr)


def _options(given: list[str]) -> dict[str, object]:
    options: dict[str, object] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise ConfigError(f"--option is {shown(key, 100)}. Allowed: KEY=VALUE, such as client_keys=~/.ssh/lab.")
        options[key] = value
    return options


def _test(address: object) -> None:
    from rla_hooks.remote.address import Address
    from rla_hooks.remote.opening import open_remote

    assert isinstance(address, Address)
    try:
        place = open_remote(address)
        number = len(place.names())
        place.try_out()
    except ConfigError:
        raise
    except RLAError as error:
        raise NotWritten(str(error)) from None
    print(f"{address}: can be read and written, has {counted(number, 'run')}")
