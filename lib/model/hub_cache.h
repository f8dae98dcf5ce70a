// SPDX-License-Identifier: LGPL-2.1-or-later
// The cache in which Hugging Face's libraries keep what they downloaded:
//     CACHE/models--ORG--NAME/refs/main           the commit that was last asked for
//     CACHE/models--ORG--NAME/snapshots/COMMIT/   the folder, of links into ../../blobs
// CACHE is HF_HUB_CACHE, or hub below HF_HOME, or $XDG_CACHE_HOME/huggingface/hub. Nothing is downloaded
// here.
#ifndef EBB_MODEL_HUB_CACHE_H
#define EBB_MODEL_HUB_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>

// Whether `name` may be a repository: ORG/NAME, or models--ORG--NAME.
bool ebb_hub_is_name(const char *name);

// Whether `path` is a folder like CACHE/models--ORG--NAME.
bool ebb_hub_is_repository(const char *path);

// The snapshot of such a folder: that of refs/main, or the newest.
enum ebb_result ebb_hub_snapshot(const char *repository, char *path, size_t size, struct ebb_error *error);

// The snapshot of a repository by name (NAME alone, too). EBB_NOT_FOUND: the message lists those that there
// are.
enum ebb_result ebb_hub_find(const char *name, char *path, size_t size, struct ebb_error *error);

// The name of the repository whose snapshot `path` is ("NAME"); `path`'s last part where it is none. Freed by
// the caller; NULL: no memory.
char *ebb_hub_model_name(const char *path);

#endif
