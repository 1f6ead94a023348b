/* Kills the process, or lets a call fail, at the n-th change of a file below a folder.

   Preloaded (LD_PRELOAD), asleep until kills_arm. What counts as a change: a file that is made, a
   write, a sync, a rename, a removal, a folder that is made or removed, a link, a new size, a new
   mode. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MADE, WRITTEN, SYNCED, RENAMED, REMOVED, FOLDER, LINKED, RESIZED, MODE, KINDS };
enum { COUNT, KILL, TORN, FAIL, FAIL_ON };

static char root[PATH_MAX];
static size_t root_length;
static int way, failure;
static long at, seen, kinds[KINDS];

void kills_arm(const char *folder, long number, int how, int error) {
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    at = number, way = how, failure = error, seen = 0;
    memset(kinds, 0, sizeof kinds);
}

long kills_seen(int kind) { return kind < 0 ? seen : kinds[kind]; }

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int inside(const char *path) {
    return root_length && !strncmp(path, root, root_length) &&
           (path[root_length] == '/' || !path[root_length]);
}

static int inside_descriptor(int descriptor, const char *rest) {
    char link[64], path[2 * PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (rest) snprintf(path + length, sizeof path - length, "/%s", rest);
    return inside(path);
}

static int inside_at(int folder, const char *path) {
    char here[PATH_MAX], whole[2 * PATH_MAX + 1];
    if (!root_length || !path) return 0;
    if (path[0] == '/') return inside(path);
    if (folder != AT_FDCWD) return inside_descriptor(folder, path);
    if (!getcwd(here, sizeof here)) return 0;
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    return inside(whole);
}

/* What is to become of a change: 0 it is made, 1 it fails, 2 it is made (a write by half) and then
   the process dies. */
static int fate(int kind) {
    seen++, kinds[kind]++;
    if (way == COUNT || seen < at) return 0;
    int frees = kind == REMOVED || kind == MODE; /* a full disk takes these */
    if (way == FAIL_ON) return !frees;
    if (seen > at) return 0;
    if (way == KILL) die();
    return way == TORN ? 2 : 1;
}

static int failed(void) {
    errno = failure;
    return -1;
}

#define REAL(name) (real = real ? real : dlsym(RTLD_NEXT, name))
#define CHANGE(kind, is_inside, call)                \
    do {                                             \
        if (!(is_inside)) return call;               \
        int what = fate(kind);                       \
        if (what == 1) return failed();              \
        __typeof__(call) result = call;              \
        if (what == 2) die();                        \
        return result;                               \
    } while (0)

static int makes(int folder, const char *path, int flags) {
    if (!(flags & (O_CREAT | O_TRUNC))) return 0;
    return inside_at(folder, path);
}

#define OPEN(name)                                                            \
    int name(const char *path, int flags, ...) {                              \
        static int (*real)(const char *, int, ...);                           \
        REAL(#name);                                                          \
        va_list rest;                                                         \
        va_start(rest, flags);                                                \
        mode_t mode = va_arg(rest, mode_t);                                   \
        va_end(rest);                                                         \
        CHANGE(MADE, makes(AT_FDCWD, path, flags), real(path, flags, mode));  \
    }
OPEN(open)
OPEN(open64)

#define OPEN_AT(name)                                                          \
    int name(int folder, const char *path, int flags, ...) {                   \
        static int (*real)(int, const char *, int, ...);                       \
        REAL(#name);                                                           \
        va_list rest;                                                          \
        va_start(rest, flags);                                                 \
        mode_t mode = va_arg(rest, mode_t);                                    \
        va_end(rest);                                                          \
        CHANGE(MADE, makes(folder, path, flags), real(folder, path, flags, mode)); \
    }
OPEN_AT(openat)
OPEN_AT(openat64)

#define WRITE(name, more_types, more)                                          \
    ssize_t name(int file, const void *data, size_t size more_types) {         \
        static ssize_t (*real)(int, const void *, size_t more_types);          \
        REAL(#name);                                                           \
        if (!inside_descriptor(file, NULL)) return real(file, data, size more);\
        int what = fate(WRITTEN);                                              \
        if (what == 1) return failed();                                        \
        ssize_t result = real(file, data, what == 2 ? size / 2 : size more);   \
        if (what == 2) die();                                                  \
        return result;                                                         \
    }
#define COMMA ,
WRITE(write, , )
WRITE(pwrite, COMMA off_t place, COMMA place)
WRITE(pwrite64, COMMA off64_t place, COMMA place)

ssize_t writev(int file, const struct iovec *parts, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    REAL("writev");
    CHANGE(WRITTEN, inside_descriptor(file, NULL), real(file, parts, count));
}

ssize_t sendfile(int to, int from, off_t *place, size_t size) {
    static ssize_t (*real)(int, int, off_t *, size_t);
    REAL("sendfile");
    CHANGE(WRITTEN, inside_descriptor(to, NULL), real(to, from, place, size));
}

ssize_t sendfile64(int to, int from, off64_t *place, size_t size) {
    static ssize_t (*real)(int, int, off64_t *, size_t);
    REAL("sendfile64");
    CHANGE(WRITTEN, inside_descriptor(to, NULL), real(to, from, place, size));
}

ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t size, unsigned flags) {
    static ssize_t (*real)(int, off64_t *, int, off64_t *, size_t, unsigned);
    REAL("copy_file_range");
    CHANGE(WRITTEN, inside_descriptor(to, NULL), real(from, a, to, b, size, flags));
}

#define ON_FILE(kind, name, more_types, more)                                  \
    int name(int file more_types) {                                            \
        static int (*real)(int more_types);                                    \
        REAL(#name);                                                           \
        CHANGE(kind, inside_descriptor(file, NULL), real(file more));          \
    }
ON_FILE(SYNCED, fsync, , )
ON_FILE(SYNCED, fdatasync, , )
ON_FILE(RESIZED, ftruncate, COMMA off_t size, COMMA size)
ON_FILE(RESIZED, ftruncate64, COMMA off64_t size, COMMA size)
ON_FILE(MODE, fchmod, COMMA mode_t mode, COMMA mode)

#define ON_PATH(kind, name, more_types, more)                                  \
    int name(const char *path more_types) {                                    \
        static int (*real)(const char *more_types);                            \
        REAL(#name);                                                           \
        CHANGE(kind, inside_at(AT_FDCWD, path), real(path more));              \
    }
ON_PATH(REMOVED, unlink, , )
ON_PATH(REMOVED, rmdir, , )
ON_PATH(FOLDER, mkdir, COMMA mode_t mode, COMMA mode)
ON_PATH(MODE, chmod, COMMA mode_t mode, COMMA mode)
ON_PATH(RESIZED, truncate, COMMA off_t size, COMMA size)

int unlinkat(int folder, const char *path, int flags) {
    static int (*real)(int, const char *, int);
    REAL("unlinkat");
    CHANGE(REMOVED, inside_at(folder, path), real(folder, path, flags));
}

int mkdirat(int folder, const char *path, mode_t mode) {
    static int (*real)(int, const char *, mode_t);
    REAL("mkdirat");
    CHANGE(FOLDER, inside_at(folder, path), real(folder, path, mode));
}

int fchmodat(int folder, const char *path, mode_t mode, int flags) {
    static int (*real)(int, const char *, mode_t, int);
    REAL("fchmodat");
    CHANGE(MODE, inside_at(folder, path), real(folder, path, mode, flags));
}

#define ON_TWO(kind, name)                                                     \
    int name(const char *from, const char *to) {                               \
        static int (*real)(const char *, const char *);                        \
        REAL(#name);                                                           \
        CHANGE(kind, inside_at(AT_FDCWD, to), real(from, to));                 \
    }
ON_TWO(RENAMED, rename)
ON_TWO(LINKED, link)
ON_TWO(LINKED, symlink)

int renameat(int a, const char *from, int b, const char *to) {
    static int (*real)(int, const char *, int, const char *);
    REAL("renameat");
    CHANGE(RENAMED, inside_at(b, to), real(a, from, b, to));
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    static int (*real)(int, const char *, int, const char *, unsigned);
    REAL("renameat2");
    CHANGE(RENAMED, inside_at(b, to), real(a, from, b, to, flags));
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    static int (*real)(int, const char *, int, const char *, int);
    REAL("linkat");
    CHANGE(LINKED, inside_at(b, to), real(a, from, b, to, flags));
}
