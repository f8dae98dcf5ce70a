# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154 # tap.sh sets what is used here
# Sourced behind tap.sh, by the tests of devices and of drivers: the machine's drivers, a cache of the test's.
render() { # a file that is there already would be left as it is
    for last; do :; done
    rm -f "$last"
    "$ebb" render --model tiny-direct --steps 1 "$@"
}
XDG_CACHE_HOME=$work/cache
export XDG_CACHE_HOME
unset EBB_VULKAN VK_DRIVER_FILES VK_ADD_DRIVER_FILES VK_ICD_FILENAMES
