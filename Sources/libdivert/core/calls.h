#pragma once
// Calls of the kernel by which frames come and go. Not those of the C library by their names: this library may be the
// one that answers to them. Written out where they are made, since behind a system call the processor has lost its
// return addresses, and each return is mispredicted (some ten nanoseconds).
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// The C library says so since glibc 2.32.
extern char __libc_single_threaded __attribute__((weak));

#pragma GCC visibility push(hidden) // programs have functions of such names, too

static inline long call_kernel(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long result __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(result) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
#else
  return syscall(number, a, b, c, d, e, f);
#endif
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

// A cancellation point, as these calls are in the C library: a thread that waits for a packet can be cancelled. Where there
// is one thread only, nobody can.
static inline long call_cancellable(long number, long a, long b, long c, long d, long e, long f) {
  if (&__libc_single_threaded && __libc_single_threaded) return call_kernel(number, a, b, c, d, e, f);
  int type;
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
  long result = call_kernel(number, a, b, c, d, e, f);
  pthread_setcanceltype(type, &type);
  return result;
}

static inline ssize_t kernel_recv(int socket, void *buffer, size_t size, int flags) {
  return call_cancellable(SYS_recvfrom, socket, (long)buffer, (long)size, flags, 0, 0);
}

static inline ssize_t kernel_recvmsg(int socket, struct msghdr *message, int flags) {
  return call_cancellable(SYS_recvmsg, socket, (long)message, flags, 0, 0, 0);
}

static inline ssize_t kernel_send(int socket, const void *buffer, size_t size, int flags) {
  return call_cancellable(SYS_sendto, socket, (long)buffer, (long)size, flags, 0, 0);
}

static inline ssize_t kernel_sendmsg(int socket, const struct msghdr *message, int flags) {
  return call_cancellable(SYS_sendmsg, socket, (long)message, flags, 0, 0, 0);
}

static inline int kernel_recvmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags) {
  return (int)call_cancellable(SYS_recvmmsg, socket, (long)messages, count, flags, 0, 0);
}

static inline int kernel_sendmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags) {
  return (int)call_cancellable(SYS_sendmmsg, socket, (long)messages, count, flags, 0, 0);
}

// Copies the first bytes that lie in pieces; returns how many there are.
size_t copy_start(uint8_t *start, size_t size, const struct iovec *vector, size_t count);

#pragma GCC visibility pop
