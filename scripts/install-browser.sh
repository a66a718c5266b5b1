#!/usr/bin/env bash
# What the tests of pages need beside Python: chromium and its driver, and node (it checks the scripts' syntax),
# from the system's packages.
set -euo pipefail

say() { printf 'install-browser: %s\n' "$*"; }
packages=(chromium chromium-driver nodejs)

have_browser() {
    command -v chromedriver >/dev/null && command -v node >/dev/null &&
        { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null
}

have_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing system packages: ${packages[*]} (about 150 MB to fetch)"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null && have_browser && exit 0
    say "apt-get could not install them (see its message above)."
fi
say "error: the tests in a browser need chromium (or Chrome), chromedriver and node."
say "Ask the administrator for:  apt-get install --no-install-recommends ${packages[*]}"
say "All other tests run without: make test"
exit 1
