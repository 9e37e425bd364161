// Making, binding and naming divert sockets.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control.h"
#include "descriptors.h"
#include "divert.h"
#include "mark.h"
#include "options.h"

// Not those of the C library by their names: this library may be the one that answers to them.
#define kernel(call, ...) syscall(SYS_##call, __VA_ARGS__)

bool divert_is_socket(int descriptor) {
  uint16_t slot;
  return descriptor_ask_kernel(descriptor, &slot);
}

// A new descriptor has the lowest number that is free: programs close 0 and count on it. The control connection had
// that.
static int lowest(int socket, bool closing_on_exec) {
  int number = (int)kernel(fcntl, socket, closing_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
  if (number >= 0 && number < socket) {
    kernel(close, socket);
    return number;
  }
  if (number >= 0) kernel(close, number);
  if (!closing_on_exec) kernel(fcntl, socket, F_SETFD, 0);
  return socket;
}

int divert_socket(int domain, int type, int protocol) {
  bool old = domain == PF_INET && (protocol == 254 || protocol == IPPROTO_DIVERT);
  bool new = domain == PF_DIVERT && protocol == 0;
  if ((!old && !new) || (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != SOCK_RAW) {
    errno = EPROTONOSUPPORT;
    return -1;
  }
  struct mark mark = {.domain = (uint16_t)domain, .protocol = (uint16_t)protocol};
  int socket = control_open(&mark.slot);
  if (socket < 0) return -1;
  if (mark_attach(socket, mark) != 0) {
    int code = errno;
    kernel(close, socket);
    errno = code;
    return -1;
  }
  options_begin(socket);
  if (type & SOCK_NONBLOCK) kernel(fcntl, socket, F_SETFL, O_RDWR | O_NONBLOCK);
  socket = lowest(socket, type & SOCK_CLOEXEC);
  descriptor_forget(socket);
  return socket;
}

// The device that a socket is on; false when it is gone.
static bool find_device(int socket, struct ifreq *device) {
  struct sockaddr_ll address;
  socklen_t length = sizeof address;
  if (kernel(getsockname, socket, &address, &length) != 0) return false;
  *device = (struct ifreq){.ifr_ifindex = address.sll_ifindex};
  return kernel(ioctl, socket, SIOCGIFNAME, device) == 0;
}

// A bound socket is on a device that is called after its port.
static int bound_port(int socket) {
  struct ifreq device;
  return find_device(socket, &device) && strncmp(device.ifr_name, "divert", 6) == 0 ? atoi(device.ifr_name + 6) : 0;
}

int divert_bind(int socket, const struct sockaddr *address, socklen_t length) {
  struct sockaddr_in wanted;
  int code = 0;
  if (length < sizeof(sa_family_t)) code = EINVAL;
  else if (address->sa_family != AF_INET) code = EAFNOSUPPORT;
  else if (length != sizeof wanted || bound_port(socket) != 0) code = EINVAL;
  if (code != 0) {
    errno = code;
    return -1;
  }
  memcpy(&wanted, address, sizeof wanted);
  if (control_bind(socket, ntohs(wanted.sin_port)) == 0) return 0;
  // The divertd that made the socket has ended; another may be there, which does not know it.
  struct ifreq device;
  code = errno;
  bool is_lost = code == EPROTONOSUPPORT || (code == EINVAL && !find_device(socket, &device));
  errno = is_lost ? ENETDOWN : code;
  return -1;
}

int divert_getsockname(int socket, struct sockaddr *address, socklen_t *length) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)bound_port(socket))};
  memcpy(address, &name, *length < sizeof name ? *length : sizeof name);
  *length = sizeof name;
  return 0;
}
