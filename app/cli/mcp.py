"""`nightdesk mcp`: the desk's tools for a program that speaks the Model Context Protocol. Called by app/cli/main.py.

Standard output belongs to the protocol, so there is nothing to print as JSON; what a person should read goes to stderr.
"""

import os

import typer

from app.cli import out


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("mcp")
    def mcp(
        role: str = typer.Option("advisor", "--role", help="whose tools: developer, operator or advisor"),
        compute: bool = typer.Option(False, "--compute", help="also tools that start jobs (backtests)"),
        propose: bool = typer.Option(False, "--propose", help="also proposals and notes; a person decides on them"),
        person: str = typer.Option("", "--person", metavar="NAME", help="in whose name (default: your OS account, the token's)"),
        http: bool = typer.Option(False, "--http", help="streamable HTTP on 127.0.0.1 instead of standard input and output"),
        port: int = typer.Option(None, "--port", min=1, max=65535, help="with --http; default: [mcp] port of desk.toml, 8422"),
    ) -> None:
        """Serve the desk's tools to an MCP client (Claude Desktop, Cursor, ...): reading, unless more is given."""
        run(role, compute=compute, propose=propose, person=person.strip(), http=http, port=port)


def run(role: str, *, compute: bool, propose: bool, person: str, http: bool, port: int | None) -> None:
    """Serve until the client leaves, or until Ctrl-C."""
    from app.cli.tool import check_role
    from engine.errors import BadInput

    check_role(role)
    if port is not None and not http:
        raise BadInput("--port is of --http", "leave it out, or add --http")
    token = _forget_keys()

    from app.home.home import existing_home
    from app.mcp.calls import McpDesk
    from app.people.authority import effects_for, role_of
    from app.people.identity import identify, os_user
    from tools.common.contract import Effect

    home = existing_home()
    actor = identify(home.path, person, "mcp", token) if person else None
    name = actor.name if actor is not None else None
    effects = (Effect.READ, *([Effect.COMPUTE] if compute else []), *([Effect.PROPOSE] if propose else []))
    if actor is not None:  # started in a person's name it does no more than that person may
        effects = tuple(effect for effect in effects if effect.value in effects_for(role_of(home.path, actor)))
    desk = McpDesk(home, role, effects)  # type: ignore[arg-type]  # check_role has seen it
    given = f"{role}, {', '.join(effects)}"
    if not http:
        from app.mcp.stdio import serve as serve_pipe

        out.say(f"nightdesk mcp: serving {home.path} ({given}) on standard input and output")
        serve_pipe(desk, name or os_user())
        return
    from app.mcp import http as transport

    at = port or home.desk.mcp.port
    out.say(f"nightdesk mcp: serving {home.path} ({given}) at http://127.0.0.1:{at}{transport.PATH}")
    out.say(f"a client needs a token - {transport.HOW_TO_CONNECT}")
    transport.serve(home, desk, at, name)


def _forget_keys() -> str:
    """Keep of the environment what a desk without models and venues needs; returns the person's token."""
    from app.people.identity import TOKEN_VARIABLE
    from app.processes.children import allowed

    token, kept = os.environ.get(TOKEN_VARIABLE, ""), allowed(os.environ)
    os.environ.clear()
    os.environ.update(kept)
    return token
