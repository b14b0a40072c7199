/** A disk that fails when a test says so: a library put before libc (needs a C compiler), or a limit of the system that makes writes fail (needs none). */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type FailingCall = 'fsync' | 'fdatasync' | 'pwrite64'

/** The calls fail with EIO once, for a file whose path ends with `ending`, as soon as `arm` was called. SQLite and node:fs sync through libc. */
export class FailingDisk {
  readonly #flag: string
  readonly env: Readonly<Record<string, string>>

  private constructor(directory: string, library: string, call: FailingCall, ending: string) {
    this.#flag = join(directory, 'armed')
    this.env = { LD_PRELOAD: library, HEADWATER_TEST_FAIL_FLAG: this.#flag, HEADWATER_TEST_FAIL_CALL: call, HEADWATER_TEST_FAIL_ENDING: ending }
  }

  static make(directory: string, call: FailingCall, ending: string): FailingDisk {
    mkdirSync(directory, { recursive: true })
    const library = join(directory, 'failing.so')
    writeFileSync(join(directory, 'failing.c'), source)
    const built = Bun.spawnSync(['cc', '-shared', '-fPIC', '-O1', '-o', library, join(directory, 'failing.c'), '-ldl'])
    if (!built.success) throw new Error(built.stderr.toString())
    return new FailingDisk(directory, library, call, ending)
  }

  arm(): void {
    writeFileSync(this.#flag, '')
  }

  /** True once the armed call has failed. */
  get struck(): boolean {
    return !existsSync(this.#flag)
  }
}

export function hasCompiler(): boolean {
  return process.platform === 'linux' && Bun.which('cc') !== null
}

export function hasWriteLimit(): boolean {
  return process.platform === 'linux' && Bun.which('prlimit') !== null
}

/** From now on writes of the process beyond the first `bytes` of a file fail (EFBIG): for a store that is as good as EIO. */
export function limitWrites(pid: number, bytes: number): void {
  const limited = Bun.spawnSync(['prlimit', '--pid', String(pid), `--fsize=${bytes}`])
  if (!limited.success) throw new Error(limited.stderr.toString())
}

const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int strikes(int fd, const char *call) {
  const char *flag = getenv("HEADWATER_TEST_FAIL_FLAG");
  const char *wanted = getenv("HEADWATER_TEST_FAIL_CALL");
  const char *ending = getenv("HEADWATER_TEST_FAIL_ENDING");
  if (!flag || !wanted || !ending || strcmp(wanted, call) != 0 || access(flag, F_OK) != 0) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  size_t end = strlen(ending);
  if (length < 0 || (size_t)length < end || strncmp(path + length - end, ending, end) != 0) return 0;
  return unlink(flag) == 0;
}

int fsync(int fd) {
  if (strikes(fd, "fsync")) { errno = EIO; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
  if (strikes(fd, "fdatasync")) { errno = EIO; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  if (strikes(fd, "pwrite64")) { errno = EIO; return -1; }
  return ((ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(fd, bytes, count, offset);
}
`
