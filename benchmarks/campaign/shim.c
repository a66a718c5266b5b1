/* Faults below Python: makes the nth write, pwrite, fsync, ftruncate, rename or close on files below a folder
 * fail, or kills the process there. Loaded with LD_PRELOAD; armed by fault_arm() or by the environment:
 * FAULT_FOLDER, FAULT_NTH, FAULT_MODE, and FAULT_ONLY, a piece of the command line of the process that is meant.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

enum mode { COUNT, KILL, TORN, FULL, BROKEN, SHORT };

static char folder[PATH_MAX];
static long nth;
static enum mode mode;
static long seen;
static long struck;

void fault_arm(const char *below, long call, int how) {
    nth = call;
    mode = (enum mode)how;
    seen = struck = 0;
    snprintf(folder, sizeof folder, "%s", below);
}

/* Calls seen so far; in mode COUNT that is all that happens. */
long fault_seen(void) { return seen; }

/* Calls that were made to fail. */
long fault_struck(void) { return struck; }

__attribute__((constructor)) static void arm_by_environment(void) {
    const char *below = getenv("FAULT_FOLDER"), *only = getenv("FAULT_ONLY");
    const char *call = getenv("FAULT_NTH"), *how = getenv("FAULT_MODE");
    if (!below || !only || !call || !how) return;
    char line[8192] = "";
    int file = open("/proc/self/cmdline", O_RDONLY);
    if (file < 0) return;
    ssize_t length = read(file, line, sizeof line - 1);
    close(file);
    for (ssize_t i = 0; i < length; i++)
        if (!line[i]) line[i] = ' ';
    if (strstr(line, only)) fault_arm(below, atol(call), atoi(how));
}

static int below_folder(const char *path) { return !strncmp(path, folder, strlen(folder)); }

static int is_ours(int descriptor) {
    char link[64], path[PATH_MAX];
    if (!folder[0]) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length <= 0) return 0;
    path[length] = 0;
    return below_folder(path);
}

/* What this call shall suffer; kills at once in mode KILL. */
static enum mode fate(void) {
    long number = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (mode == COUNT) return COUNT;
    /* A full disk stays full; over NFS it may be the close that tells. */
    int hit = mode == FULL ? number >= nth : number == nth;
    if (!hit) return COUNT;
    struck++;
    if (mode == KILL) kill(getpid(), SIGKILL);
    return mode;
}

static int code_of(enum mode how) { return how == FULL ? ENOSPC : EIO; }

#define REAL(name) (*(__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

#define WRITES(name, parameters, call)                                        \
    ssize_t name parameters {                                                 \
        if (!is_ours(fd)) return REAL(name) call;                             \
        enum mode how = fate();                                               \
        if (how == FULL || how == BROKEN) { errno = code_of(how); return -1; } \
        if ((how == TORN || how == SHORT) && count > 1) count /= 2;           \
        ssize_t done = REAL(name) call;                                       \
        if (how == TORN) kill(getpid(), SIGKILL);                             \
        return done;                                                          \
    }

WRITES(write, (int fd, const void *buffer, size_t count), (fd, buffer, count))
WRITES(pwrite, (int fd, const void *buffer, size_t count, off_t at), (fd, buffer, count, at))
WRITES(pwrite64, (int fd, const void *buffer, size_t count, off64_t at), (fd, buffer, count, at))

/* Calls that succeed or fail as a whole; torn means killed right after. A close that fails has closed. */
#define WHOLE(name, parameters, ours, call, is_close)                         \
    int name parameters {                                                     \
        if (!(ours)) return REAL(name) call;                                  \
        enum mode how = fate();                                               \
        int fails = how == FULL || how == BROKEN;                             \
        if (fails && !(is_close)) {                                           \
            errno = code_of(how);                                             \
            return -1;                                                        \
        }                                                                     \
        int done = REAL(name) call;                                           \
        if (how == TORN) kill(getpid(), SIGKILL);                             \
        if (fails) { errno = code_of(how); return -1; }                       \
        return done;                                                          \
    }

WHOLE(fsync, (int fd), is_ours(fd), (fd), 0)
WHOLE(fdatasync, (int fd), is_ours(fd), (fd), 0)
WHOLE(ftruncate, (int fd, off_t size), is_ours(fd), (fd, size), 0)
WHOLE(ftruncate64, (int fd, off64_t size), is_ours(fd), (fd, size), 0)
WHOLE(close, (int fd), is_ours(fd), (fd), 1)
WHOLE(rename, (const char *old, const char *new), folder[0] && below_folder(new), (old, new), 0)

/* A share whose locks are seen by one host alone: FAULT_FLOCK=local; or that has none: FAULT_FLOCK=none. */
int flock(int fd, int operation) {
    const char *how = getenv("FAULT_FLOCK");
    if (how && !strcmp(how, "local")) return 0;
    if (how && !strcmp(how, "none")) { errno = ENOLCK; return -1; }
    return REAL(flock)(fd, operation);
}

/* Another host: FAULT_BOOT_ID names a file that is read in place of the kernel's. */
static const char *elsewhere(const char *path) {
    const char *instead = getenv("FAULT_BOOT_ID");
    return instead && !strcmp(path, "/proc/sys/kernel/random/boot_id") ? instead : path;
}

#define OPENS(name)                                                           \
    int name(const char *path, int flags, ...) {                              \
        va_list rest;                                                         \
        va_start(rest, flags);                                                \
        mode_t rights = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                         \
        return REAL(name)(elsewhere(path), flags, rights);                    \
    }

OPENS(open)
OPENS(open64)
