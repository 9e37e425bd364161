#include "mark.h"

#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "frame.h"

enum {
  filter_length = 8,
  link_length = 3, // divertd puts it in front and locks it when the socket is bound: only packets of its link
  magic = 0x44495654, // "DIVT"
  kind_offset = 0,
};

int mark_attach(int socket, struct mark mark) {
  struct sock_filter filter[filter_length] = {
      BPF_STMT(BPF_LD | BPF_IMM, magic),
      BPF_STMT(BPF_LD | BPF_IMM, (uint32_t)mark.domain << 16 | mark.protocol),
      BPF_STMT(BPF_LD | BPF_IMM, mark.slot),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kind_offset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, frame_kind(frame_diverted), 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, frame_kind(frame_deliver), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
  };
  struct sock_fprog program = {.len = filter_length, .filter = filter};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

bool mark_read(int descriptor, struct mark *mark) {
  struct sock_filter filters[link_length + filter_length] = {{0}};
  const struct sock_filter *filter = filters;
  socklen_t length = link_length + filter_length;
  // Not by way of getsockopt(): this library may be the one that answers that.
  if (syscall(SYS_getsockopt, descriptor, SOL_SOCKET, SO_GET_FILTER, filters, &length) != 0) return false;
  if (length == link_length + filter_length) filter += link_length, length -= link_length;
  if (length != filter_length || filter[0].code != (BPF_LD | BPF_IMM) || filter[0].k != magic) return false;
  *mark = (struct mark){.domain = filter[1].k >> 16, .protocol = filter[1].k & 0xffff, .slot = (uint16_t)filter[2].k};
  return true;
}
