// SPDX-License-Identifier: LGPL-2.1-or-later
// Mounts an NFS export without the kernel's client: libnfs speaks to the server, FUSE to the programs.
//   nfs-mount nfs://host/export?version=4 FOLDER [FUSE option...]
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <nfsc/libnfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nfs_context *nfs;

static void to_stat(const struct nfs_stat_64 *from, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_ino = from->nfs_ino;
    st->st_mode = (mode_t)from->nfs_mode;
    st->st_nlink = (nlink_t)from->nfs_nlink;
    st->st_uid = (uid_t)from->nfs_uid;
    st->st_gid = (gid_t)from->nfs_gid;
    st->st_size = (off_t)from->nfs_size;
    st->st_blocks = (blkcnt_t)from->nfs_blocks;
    st->st_atim = (struct timespec){(time_t)from->nfs_atime, (long)from->nfs_atime_nsec};
    st->st_mtim = (struct timespec){(time_t)from->nfs_mtime, (long)from->nfs_mtime_nsec};
    st->st_ctim = (struct timespec){(time_t)from->nfs_ctime, (long)from->nfs_ctime_nsec};
}

static struct nfsfh *handle(const struct fuse_file_info *info)
{
    return (struct nfsfh *)(uintptr_t)info->fh;
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *info)
{
    struct nfs_stat_64 found;
    int result = nfs_lstat64(nfs, path, &found);
    if (result == 0)
        to_stat(&found, st);
    return result;
}

static int open_file(const char *path, struct fuse_file_info *info)
{
    struct nfsfh *fh = NULL;
    int result = nfs_open(nfs, path, info->flags, &fh);
    info->fh = (uintptr_t)fh;
    return result;
}

// O_EXCL goes to the server.
static int create_file(const char *path, mode_t mode, struct fuse_file_info *info)
{
    struct nfsfh *fh = NULL;
    int result = nfs_open2(nfs, path, info->flags | O_CREAT, (int)(mode & 0777), &fh);
    info->fh = (uintptr_t)fh;
    return result;
}

static int read_file(const char *path, char *to, size_t size, off_t at, struct fuse_file_info *info)
{
    return nfs_pread(nfs, handle(info), (uint64_t)at, size, to);
}

static int write_file(const char *path, const char *from, size_t size, off_t at, struct fuse_file_info *info)
{
    return nfs_pwrite(nfs, handle(info), (uint64_t)at, size, from);
}

static int sync_file(const char *path, int data, struct fuse_file_info *info)
{
    return nfs_fsync(nfs, handle(info));
}

static int close_file(const char *path, struct fuse_file_info *info)
{
    return nfs_close(nfs, handle(info));
}

static int remove_file(const char *path)
{
    return nfs_unlink(nfs, path);
}

static int rename_file(const char *from, const char *to, unsigned flags)
{
    return flags ? -EINVAL : nfs_rename(nfs, from, to);
}

static int link_file(const char *from, const char *to)
{
    return nfs_link(nfs, from, to);
}

static int make_folder(const char *path, mode_t mode)
{
    return nfs_mkdir(nfs, path);
}

static int remove_folder(const char *path)
{
    return nfs_rmdir(nfs, path);
}

static int change_mode(const char *path, mode_t mode, struct fuse_file_info *info)
{
    return nfs_chmod(nfs, path, (int)(mode & 0777));
}

static int change_size(const char *path, off_t size, struct fuse_file_info *info)
{
    return nfs_truncate(nfs, path, (uint64_t)size);
}

static int change_times(const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
    return times && times[1].tv_nsec != UTIME_NOW
               ? nfs_utimes(nfs, path, (struct timeval[]){{times[0].tv_sec, 0}, {times[1].tv_sec, 0}})
               : nfs_utimes(nfs, path, NULL);
}

static int list_folder(const char *path, void *to, fuse_fill_dir_t fill, off_t at,
                       struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
    struct nfsdir *folder;
    int result = nfs_opendir(nfs, path, &folder);
    if (result != 0)
        return result;
    for (struct nfsdirent *entry; (entry = nfs_readdir(nfs, folder));)
        fill(to, entry->name, NULL, 0, (enum fuse_fill_dir_flags)0);
    nfs_closedir(nfs, folder);
    return 0;
}

static const struct fuse_operations operations = {
    .getattr = get_attributes,
    .open = open_file,
    .create = create_file,
    .read = read_file,
    .write = write_file,
    .fsync = sync_file,
    .release = close_file,
    .unlink = remove_file,
    .rename = rename_file,
    .link = link_file,
    .mkdir = make_folder,
    .rmdir = remove_folder,
    .chmod = change_mode,
    .truncate = change_size,
    .utimens = change_times,
    .readdir = list_folder,
};

int main(int argc, char **argv)
{
    nfs = argc > 2 ? nfs_init_context() : NULL;
    struct nfs_url *url = nfs ? nfs_parse_url_dir(nfs, argv[1]) : NULL;
    if (!url || nfs_mount(nfs, url->server, url->path) != 0) {
        fprintf(stderr, "nfs-mount: %s\n", nfs ? nfs_get_error(nfs) : "URL FOLDER [OPTION...]");
        return 1;
    }
    argv[1] = argv[0];
    return fuse_main(argc - 1, argv + 1, &operations, NULL);
}
