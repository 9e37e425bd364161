#pragma once

#include <linux/if_packet.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/// `struct mmsghdr`, which glibc shows under _GNU_SOURCE only.
struct csystem_mmsghdr {
  struct msghdr header;
  unsigned int length;
};

/// recvmmsg(2), without the timeout that does not do what it says.
static inline ssize_t csystem_recvmmsg(int descriptor, struct csystem_mmsghdr *messages, unsigned int count, int flags) {
  return syscall(SYS_recvmmsg, descriptor, messages, count, flags, NULL);
}

/// sendmmsg(2).
static inline ssize_t csystem_sendmmsg(int descriptor, struct csystem_mmsghdr *messages, unsigned int count, int flags) {
  return syscall(SYS_sendmmsg, descriptor, messages, count, flags);
}
