# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2034 # who sources this uses what is set here
# Sourced by the scripts here: TAP in POSIX sh. $1 is ebb, $2 the helper, $3 the folder of the tests.
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
ebb=$(absolute "$1") helper=$(absolute "$2") data=$(absolute "$3")
EBB_MODEL_PATH=$data/models:$data/../models
export EBB_MODEL_PATH
# No GPU, whatever the machine has; nor a search for one at each start. test_driver.sh is for those.
export VK_ICD_FILENAMES=/nonexistent VK_DRIVER_FILES=/nonexistent
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The scripts keep commands in variables, which a blank in a folder's name would take apart.
mkdir "$work/.links" && cd "$work/.links" || exit 1
ln -s "$ebb" ebb && ln -s "$helper" helper && ln -s "$data" data || exit 1
ebb=$PWD/ebb helper=$PWD/helper data=$PWD/data
cd "$work" || exit 1
count=0 failed=0

# ok DESCRIPTION COMMAND...: passes when the command succeeds.
ok() {
    what=$1
    shift
    count=$((count + 1))
    if "$@" >tap-out 2>tap-err; then
        echo "ok $count - $what"
    else
        echo "not ok $count - $what"
        failed=$((failed + 1))
        sed "s/^/# /" tap-out tap-err | head -n 12
    fi
}

# fails CODE WORDS COMMAND...: passes when the command exits with CODE and its message is one that holds
# WORDS.
fails() {
    expected=$1 words=$2
    shift 2
    count=$((count + 1))
    "$@" >tap-out 2>tap-err </dev/null
    got=$?
    if [ $got -eq "$expected" ] && grep -q -e "$words" tap-err; then
        echo "ok $count - refused with $expected: $words"
    else
        echo "not ok $count - expected $expected and \"$words\", got $got from $*"
        failed=$((failed + 1))
        sed "s/^/# /" tap-err | head -n 12
    fi
}

# differ COMMAND...: the helper found a difference; that it could not look is something else.
differ() {
    "$@"
    [ $? -eq 1 ]
}

# interrupt PID: once it is ready for that (it catches signal 2: the second bit of the mask) and has begun its
# work.
interrupt() {
    while kill -0 "$1" && ! grep -qs '^SigCgt:.*[2367abef]$' "/proc/$1/status"; do sleep 0.1; done
    sleep 1
    kill -INT "$1"
}

# quietly COMMAND...: its output aside.
quietly() {
    "$@" >quiet-out
}

# The helper's and the program's answers.
says() {
    words=$1
    shift
    "$@" >said || return 1
    grep -q -e "$words" said
}

skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

done_testing() {
    echo "1..$count"
    [ $failed -eq 0 ]
    exit
}

# No file of ours is half written: nothing with a temporary name is left.
tidy() {
    left=$(find "$1" -name '*.tmp*' -o -name '.*.tmp')
    [ -z "$left" ] || { echo "left behind: $left" >&2; false; }
}
