// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that appear when they are whole: names, links, modes, what is left of killed runs, streams.
#include <ebb/output.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temporary.h"
#include "test.h"

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[4][400];
    static int which;
    if (!folder[0]) {
        strcpy(folder, "/tmp/ebb-output-XXXXXX");
        REQUIRE(mkdtemp(folder));
    }
    which = (which + 1) % 4;
    snprintf(path[which], sizeof(path[which]), "%s/%s", folder, name);
    return path[which];
}

// Files in the folder, hidden ones too; `last`: the name of one of them.
static int count_files(char last[300])
{
    int count = 0;
    DIR *dir = opendir(folder);
    REQUIRE(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count++;
            if (last)
                snprintf(last, 300, "%s", entry->d_name);
        }
    closedir(dir);
    return count;
}

static void empty_folder(void)
{
    char name[300];
    in_folder("");
    while (count_files(name) > 0)
        REQUIRE(unlink(in_folder(name)) == 0);
}

static enum ebb_result write_text(const char *path, const char *text)
{
    struct ebb_error error = {0};
    struct ebb_output *output = ebb_output_create(path, &error);
    enum ebb_result result = output ? ebb_output_write(output, text, strlen(text), &error) : error.code;
    if (result == EBB_OK)
        result = ebb_output_finish(output, &error);
    ebb_output_destroy(&output);
    if (result != EBB_OK)
        printf("# %s\n", error.message);
    return result;
}

static const char *text_of(const char *path)
{
    static char text[100];
    memset(text, 0, sizeof(text));
    int fd = open(path, O_RDONLY);
    REQUIRE(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    return text;
}

TEST(nothing_is_there_until_it_is_finished_and_an_old_file_stays)
{
    empty_folder();
    REQUIRE(write_text(in_folder("a"), "old") == EBB_OK);
    struct ebb_output *output = ebb_output_create(in_folder("a"), NULL);
    REQUIRE(output && !ebb_output_is_stream(output) && ebb_output_write(output, "new", 3, NULL) == EBB_OK);
    REQUIRE_STRING(text_of(in_folder("a")), "old");
    ebb_output_destroy(&output);
    REQUIRE(!output && count_files(NULL) == 1);
    REQUIRE_STRING(text_of(in_folder("a")), "old");
    REQUIRE(write_text(in_folder("a"), "new") == EBB_OK && count_files(NULL) == 1);
    REQUIRE_STRING(text_of(in_folder("a")), "new");
}

TEST(two_writers_of_one_file_do_not_mix)
{
    empty_folder();
    struct ebb_output *a = ebb_output_create(in_folder("x"), NULL),
                      *b = ebb_output_create(in_folder("x"), NULL);
    REQUIRE(a && b && count_files(NULL) == 2);
    REQUIRE(ebb_output_write(a, "aaaa", 4, NULL) == EBB_OK && ebb_output_write(b, "bb", 2, NULL) == EBB_OK);
    REQUIRE(ebb_output_finish(a, NULL) == EBB_OK);
    REQUIRE_STRING(text_of(in_folder("x")), "aaaa");
    REQUIRE(ebb_output_write(b, "b", 1, NULL) == EBB_OK && ebb_output_finish(b, NULL) == EBB_OK);
    REQUIRE_STRING(text_of(in_folder("x")), "bbb");
    ebb_output_destroy(&a);
    ebb_output_destroy(&b);
    REQUIRE(count_files(NULL) == 1);
}

// The name that a writer of "x" takes first.
static void find_temporary_name(char name[300])
{
    empty_folder();
    struct ebb_output *output = ebb_output_create(in_folder("x"), NULL);
    REQUIRE(output && count_files(name) == 1);
    ebb_output_destroy(&output);
}

TEST(a_planted_link_is_not_written_through)
{
    char name[300];
    find_temporary_name(name);
    REQUIRE(write_text(in_folder("victim"), "precious") == EBB_OK);
    REQUIRE(symlink("victim", in_folder(name)) == 0);
    REQUIRE(write_text(in_folder("x"), "mine") == EBB_OK);
    REQUIRE_STRING(text_of(in_folder("victim")), "precious");
    REQUIRE_STRING(text_of(in_folder("x")), "mine");
    REQUIRE(unlink(in_folder(name)) == 0 && mkfifo(in_folder(name), 0600) == 0); // must not hold us up
    REQUIRE(write_text(in_folder("x"), "again") == EBB_OK);
}

TEST(what_a_killed_run_left_is_removed_and_what_a_live_one_writes_is_not)
{
    char name[300];
    find_temporary_name(name);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct ebb_output *first = ebb_output_create(in_folder("x"), NULL);
        struct ebb_output *second = ebb_output_create(in_folder("x"), NULL);
        kill(getpid(), first && second ? SIGKILL : SIGTERM);
    }
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child && WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    REQUIRE(count_files(NULL) == 2);
    struct ebb_output *live = ebb_output_create(in_folder("x"), NULL);
    REQUIRE(live && count_files(NULL) == 1);
    REQUIRE(write_text(in_folder("x"), "other") == EBB_OK && count_files(NULL) == 2);
    REQUIRE(ebb_output_write(live, "live", 4, NULL) == EBB_OK && ebb_output_finish(live, NULL) == EBB_OK);
    ebb_output_destroy(&live);
    REQUIRE_STRING(text_of(in_folder("x")), "live");
    REQUIRE(count_files(NULL) == 1);
}

TEST(a_file_that_somebody_took_away_is_not_said_to_be_written)
{
    char name[300];
    find_temporary_name(name);
    struct ebb_error error = {0};
    struct ebb_output *output = ebb_output_create(in_folder("x"), NULL);
    REQUIRE(output && unlink(in_folder(name)) == 0);
    REQUIRE(ebb_output_finish(output, &error) == EBB_UNWRITABLE && strstr(error.message, "removed"));
    ebb_output_destroy(&output);
    REQUIRE(count_files(NULL) == 0);
}

TEST(names_of_255_bytes_can_be_written)
{
    char name[256];
    empty_folder();
    memset(name, 'n', 255);
    name[255] = 0;
    REQUIRE(write_text(in_folder(name), "long") == EBB_OK);
    REQUIRE_STRING(text_of(in_folder(name)), "long");
    char longer[300];
    snprintf(longer, sizeof(longer), "%sn", name);
    REQUIRE(write_text(in_folder(longer), "too long") == EBB_UNWRITABLE && count_files(NULL) == 1);
}

TEST(mode_and_link_of_what_is_replaced_stay)
{
    empty_folder();
    struct stat info;
    REQUIRE(write_text(in_folder("real"), "1") == EBB_OK && chmod(in_folder("real"), 0640) == 0);
    REQUIRE(symlink("real", in_folder("link")) == 0);
    mode_t old = umask(0);
    struct ebb_output *output = ebb_output_create(in_folder("link"), NULL);
    REQUIRE(output && fstat(ebb_output_descriptor(output), &info) == 0 && (info.st_mode & 0777) == 0600);
    ebb_output_destroy(&output);
    REQUIRE(write_text(in_folder("link"), "2") == EBB_OK && write_text(in_folder("new"), "3") == EBB_OK);
    umask(old);
    REQUIRE(lstat(in_folder("link"), &info) == 0 && S_ISLNK(info.st_mode));
    REQUIRE(stat(in_folder("real"), &info) == 0 && (info.st_mode & 0777) == 0640);
    REQUIRE_STRING(text_of(in_folder("real")), "2");
    REQUIRE(stat(in_folder("new"), &info) == 0 && (info.st_mode & 0777) == 0666);
}

TEST(a_link_to_nothing_makes_what_it_names)
{
    empty_folder();
    struct stat info;
    REQUIRE(symlink("second", in_folder("first")) == 0);
    REQUIRE(symlink(in_folder("file"), in_folder("second")) == 0);
    REQUIRE(write_text(in_folder("first"), "through") == EBB_OK && count_files(NULL) == 3);
    REQUIRE(lstat(in_folder("file"), &info) == 0 && S_ISREG(info.st_mode));
    REQUIRE_STRING(text_of(in_folder("file")), "through");
    REQUIRE(lstat(in_folder("first"), &info) == 0 && S_ISLNK(info.st_mode));
    REQUIRE(symlink("no/such", in_folder("lost")) == 0 && symlink("round", in_folder("round")) == 0);
    REQUIRE(write_text(in_folder("lost"), "x") == EBB_UNWRITABLE);
    REQUIRE(write_text(in_folder("round"), "x") == EBB_UNWRITABLE && count_files(NULL) == 5);
}

// In a process of its own, as nobody: root may write everything.
TEST(a_protected_file_is_not_replaced)
{
    empty_folder();
    REQUIRE(write_text(in_folder("take"), "1") == EBB_OK && chmod(in_folder("take"), 0444) == 0);
    REQUIRE(chmod(folder, 0777) == 0);
    const char *path = in_folder("take");
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && seteuid(65534) != 0)
            _exit(2);
        _exit(write_text(path, "2") == EBB_UNWRITABLE ? 0 : 1);
    }
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child && WIFEXITED(how) && WEXITSTATUS(how) == 0);
    REQUIRE_STRING(text_of(path), "1");
    REQUIRE(count_files(NULL) == 1);
}

TEST(a_file_is_finished_once_and_not_after_a_failed_write)
{
    struct ebb_error error = {0};
    struct rlimit old, little = {.rlim_cur = 10};
    struct ebb_output *output = ebb_output_create(in_folder("once"), NULL);
    REQUIRE(output && ebb_output_finish(output, NULL) == EBB_OK);
    REQUIRE(ebb_output_write(output, "x", 1, &error) == EBB_INVALID && strstr(error.message, "was finished"));
    REQUIRE(ebb_output_finish(output, NULL) == EBB_INVALID && ebb_output_descriptor(output) < 0);
    ebb_output_destroy(&output);

    output = ebb_output_create(in_folder("half"), NULL);
    signal(SIGXFSZ, SIG_IGN); // the limit acts as a full disk
    REQUIRE(output && getrlimit(RLIMIT_FSIZE, &old) == 0);
    little.rlim_max = old.rlim_max;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &little) == 0);
    enum ebb_result result = ebb_output_write(output, "more than ten bytes", 19, NULL);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
    REQUIRE(result == EBB_UNWRITABLE && ebb_output_finish(output, NULL) == EBB_UNWRITABLE);
    ebb_output_destroy(&output);
    REQUIRE(access(in_folder("half"), F_OK) != 0);
    empty_folder();
}

TEST(a_fifo_and_standard_output_are_written_as_they_are)
{
    empty_folder();
    REQUIRE(mkfifo(in_folder("fifo"), 0600) == 0);
    int fd = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK);
    REQUIRE(fd >= 0);
    char got[10] = "";
    REQUIRE(write_text(in_folder("fifo"), "through") == EBB_OK);
    REQUIRE(read(fd, got, 9) == 7);
    REQUIRE_STRING(got, "through");
    close(fd);

    static const char *const names[] = {"-", "/dev/stdout", "/dev/fd/1"};
    for (size_t i = 0; i < 3; i++) { // a shell's `> file`, written to and not replaced
        int was = dup(1), file = open(in_folder("shell"), O_RDWR | O_CREAT | O_TRUNC, 0600);
        fflush(stdout);
        REQUIRE(file >= 0 && dup2(file, 1) == 1);
        enum ebb_result result = write_text(names[i], "text");
        dup2(was, 1);
        close(was);
        struct stat named, opened;
        REQUIRE(result == EBB_OK && stat(in_folder("shell"), &named) == 0 && fstat(file, &opened) == 0);
        REQUIRE(named.st_ino == opened.st_ino && named.st_size == 4);
        close(file);
    }
}

TEST(a_full_disk_leaves_nothing)
{
    empty_folder();
    struct rlimit old, little;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
    little = (struct rlimit){1000, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    static char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &little) == 0);
    enum ebb_result result = write_text(in_folder("full"), text);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
    REQUIRE(result == EBB_UNWRITABLE && count_files(NULL) == 0);
    REQUIRE(write_text(in_folder("no/such"), "x") == EBB_UNWRITABLE);
    REQUIRE(write_text("/dev/full", "x") == EBB_UNWRITABLE);
    REQUIRE(write_text(folder, "x") == EBB_UNWRITABLE);
    empty_folder();
    rmdir(folder);
}

TEST_MAIN
