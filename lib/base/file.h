// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading files that users name. Only regular files are opened, because a pipe could block for ever. Files
// are read, never mapped.
#ifndef EBB_BASE_FILE_H
#define EBB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <ebb/error.h>

// EBB_INVALID where the name is empty, as of a shell variable that nobody has set.
enum ebb_result ebb_file_check_name(const char *path, struct ebb_error *error);

// Opens a file for reading and fills `info`. Returns the descriptor, or -1 with EBB_NOT_FOUND,
// EBB_UNREADABLE or EBB_WRONG_TYPE.
int ebb_file_open(const char *path, struct stat *info, struct ebb_error *error);

// Reads exactly `size` bytes; an end before that is EBB_CORRUPT.
enum ebb_result ebb_file_read(int fd, void *data, size_t size, const char *path, struct ebb_error *error);

// Reads a whole file of at most `limit` bytes and adds a final 0. The caller frees it. NULL on failure.
char *ebb_file_load(const char *path, size_t limit, size_t *size, struct ebb_error *error);

// As much of `size` bytes as there is from this place on; -1 with errno. An interrupted call is made again.
ssize_t ebb_file_read_at(int fd, void *data, size_t size, off_t at);

// All of the bytes to this place; false with errno. An interrupted or short call is followed by another.
bool ebb_file_write_at(int fd, const void *data, size_t size, off_t at);

// Whether there is a file of any kind, or a folder. Where a failing disk hides the answer it is yes: what
// opens the file then says why it cannot. A file that is not there may be left out, a hidden one may not.
bool ebb_file_exists(const char *path);
bool ebb_folder_exists(const char *path);
bool ebb_file_is_in(const char *folder, const char *name); // needs no memory

// "folder/name" as a string that the caller frees. NULL: out of memory.
char *ebb_path_join(const char *folder, const char *name);

#endif
