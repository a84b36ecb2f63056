"""axe-core, which finds what keeps people with assistive technology out of a page
(https://github.com/dequelabs/axe-core)."""

import shutil
import subprocess
import tarfile

from fer_utils.core.paths import PACKAGE

VERSION = "4.14.1"
HARMFUL = ("serious", "critical")


def axe_source() -> str | None:
    """Its script, fetched once by npm into the checkout's runs/cache; None where npm is absent or
    fetches nothing."""
    folder = PACKAGE.parent / "runs" / "cache" / f"axe-core-{VERSION}"
    archive = folder / f"axe-core-{VERSION}.tgz"
    npm = shutil.which("npm")
    if not archive.is_file() and npm:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [npm, "pack", f"axe-core@{VERSION}"],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=120,
        )
    if not archive.is_file():
        return None
    with tarfile.open(archive) as files:
        return files.extractfile("package/axe.min.js").read().decode()


def harmful_findings(page, source: str, within: str = "html") -> list[str]:
    """Rules broken in a page, or in a part of it, with the first place of each; only serious and
    critical ones."""
    page.evaluate(source)
    found = page.evaluate("within => axe.run(within, {resultTypes: ['violations']})", within)
    return [
        f"{rule['impact']}: {rule['help']} ({len(rule['nodes'])} times, first"
        f" {rule['nodes'][0]['html'][:200]};"
        f" {' '.join(rule['nodes'][0]['failureSummary'].split())})"
        for rule in found["violations"]
        if rule["impact"] in HARMFUL
    ]
