// Files from outside: regular ones only (a pipe must not hang us), read, never mapped.
#ifndef EBB_MODEL_FILE_H
#define EBB_MODEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <ebb/error.h>

// Opens for reading; the descriptor, or -1 with EBB_NOT_FOUND, EBB_UNREADABLE or EBB_WRONG_TYPE. `info` is filled.
int ebb_file_open(const char *path, struct stat *info, struct ebb_error *error);

// Reads exactly `size` bytes; an end before that is EBB_CORRUPT.
enum ebb_result ebb_file_read(int fd, void *data, size_t size, const char *path, struct ebb_error *error);

// The whole of a file of at most `limit` bytes and a final 0; to be freed. NULL on failure.
char *ebb_file_load(const char *path, size_t limit, size_t *size, struct ebb_error *error);

bool ebb_file_exists(const char *path); // anything of that name
bool ebb_folder_exists(const char *path);

// "folder/name" in a string to be freed; NULL without memory.
char *ebb_path_join(const char *folder, const char *name);

#endif
