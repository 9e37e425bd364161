#pragma once
// Calls of the kernel by which frames come and go. Not those of the C library by their names: this library may be the
// one that answers to them.
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#pragma GCC visibility push(hidden) // programs have functions of such names, too

ssize_t kernel_recv(int socket, void *buffer, size_t size, int flags);
ssize_t kernel_recvmsg(int socket, struct msghdr *message, int flags);
ssize_t kernel_send(int socket, const void *buffer, size_t size, int flags);
ssize_t kernel_sendmsg(int socket, const struct msghdr *message, int flags);
int kernel_recvmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags);
int kernel_sendmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags);

// Copies the first bytes that lie in pieces; returns how many there are.
size_t copy_start(uint8_t *start, size_t size, const struct iovec *vector, size_t count);

#pragma GCC visibility pop
