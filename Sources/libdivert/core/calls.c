#include "calls.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

// The C library says so since glibc 2.32.
extern char __libc_single_threaded __attribute__((weak));

// Cancellation points, as these calls are in the C library: a thread that waits for a packet can be cancelled. Where there
// is one thread only, nobody can.
#define cancellable(call)                                        \
  __extension__({                                                \
    long result;                                                 \
    if (&__libc_single_threaded && __libc_single_threaded) {     \
      result = call;                                             \
    } else {                                                     \
      int type;                                                  \
      pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type); \
      result = call;                                             \
      pthread_setcanceltype(type, &type);                        \
    }                                                            \
    result;                                                      \
  })

ssize_t kernel_recv(int socket, void *buffer, size_t size, int flags) {
  return cancellable(syscall(SYS_recvfrom, socket, buffer, size, flags, (void *)0, (void *)0));
}

ssize_t kernel_recvmsg(int socket, struct msghdr *message, int flags) {
  return cancellable(syscall(SYS_recvmsg, socket, message, flags));
}

ssize_t kernel_send(int socket, const void *buffer, size_t size, int flags) {
  return cancellable(syscall(SYS_sendto, socket, buffer, size, flags, (void *)0, 0));
}

ssize_t kernel_sendmsg(int socket, const struct msghdr *message, int flags) {
  return cancellable(syscall(SYS_sendmsg, socket, message, flags));
}

int kernel_recvmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags) {
  return (int)cancellable(syscall(SYS_recvmmsg, socket, messages, count, flags, (void *)0));
}

int kernel_sendmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags) {
  return (int)cancellable(syscall(SYS_sendmmsg, socket, messages, count, flags));
}
