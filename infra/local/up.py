"""`infra/up`: the whole platform, the story once, then up until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

from rich.console import Console

from infra.calling import CallFailed
from infra.local.platform import ROOT, Options, Platform
from infra.local.postgres import PostgresError
from infra.local.story import Story, StoryFailed
from infra.local.supervisor import NotStarted
from infra.seeding import Admin, SeedError, seed


def main() -> int:
    """Answers 0 when all went well, 1 with a sentence when not."""
    parser = argparse.ArgumentParser(prog="infra/up", description=__doc__)
    parser.add_argument("--once", action="store_true", help="leave after the story")
    parser.add_argument("--port", type=int, default=8080, help="of the one origin")
    parser.add_argument("--data", type=Path, default=ROOT / ".local", help="where data are kept")
    parser.add_argument("--no-story", action="store_true", help="only start, do not play the story")
    options = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    signal.signal(signal.SIGTERM, _interrupt)
    platform = Platform(
        Options(folder=options.data.resolve(), port=options.port, receiver_port=options.port + 1)
    )
    try:
        _run(platform, console, once=options.once, story=not options.no_story)
    except (NotStarted, StoryFailed, CallFailed, PostgresError, SeedError) as error:
        console.print(f"[red]tarsify: {error}[/]", markup=True)
        return 1
    except subprocess.CalledProcessError:
        console.print("[red]tarsify: could not install the workers; a network is needed once[/]")
        return 1
    except KeyboardInterrupt:
        console.print("\nstopping ...")
    finally:
        platform.stop()
    return 0


def _run(platform: Platform, console: Console, *, once: bool, story: bool) -> None:
    with console.status("starting database, stand-ins, functions and workers ..."):
        platform.start()
    models = seed(Admin(platform.url, platform.staff_token), platform.endpoints)
    console.print(f"[green]up[/] at {platform.url}; {len(models)} base models in the catalogue")
    if story:
        Story(platform, console).play(models)
    if not once:
        console.print(_where_to_look(platform))
        threading.Event().wait()


def _where_to_look(platform: Platform) -> str:
    simulator = "" if platform.real_runpod else f"\n  RunPod simulator     {platform.simulator_url}"
    return f"""
Tarsify is up until Ctrl-C.
  one origin           {platform.url}
  API documents        {platform.url}/api/marketplace/openapi.json (also studio, admin){simulator}
  webhook receiver     {platform.receiver_url}
  logs and data        {platform.options.folder}
Try it:
  TOKEN=$(infra/token users alice)
  curl -s {platform.url}/api/marketplace/models
  curl -s -X POST -H "Authorization: Bearer $TOKEN" {platform.url}/api/marketplace/auth/register
"""


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
