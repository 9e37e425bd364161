// What Linux offers instead of divert sockets, as its users write it: every packet is accepted.
//
//   nfqueue documented QUEUE   the loop that libnetfilter_queue's own documentation shows (nfqnl_test)
//   nfqueue careful QUEUE      big buffers, no ENOBUFS, one verdict for all that has come
//
// Both print "ready" and run until they are killed. Neither writes a payload back.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libnetfilter_queue/libnetfilter_queue.h>

enum { batch = 64 };

static int careful;
static uint32_t last_id;
static int waiting;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *unused) {
  (void)message, (void)unused;
  struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
  unsigned char *payload;
  uint32_t id = header ? ntohl(header->packet_id) : 0;
  nfq_get_payload(data, &payload);
  if (!careful) return nfq_set_verdict(queue, id, NF_ACCEPT, 0, NULL);
  last_id = id;
  if (++waiting < batch) return 0;
  waiting = 0;
  return nfq_set_verdict_batch(queue, id, NF_ACCEPT);
}

int main(int n, char **words) {
  if (n != 3 || (strcmp(words[1], "documented") && strcmp(words[1], "careful"))) {
    fputs("nfqueue: see the head of its source\n", stderr);
    return 64;
  }
  careful = !strcmp(words[1], "careful");
  struct nfq_handle *library = nfq_open();
  if (!library) fail("nfq_open");
  struct nfq_q_handle *queue = nfq_create_queue(library, atoi(words[2]), &packet, NULL);
  if (!queue) fail("nfq_create_queue");
  if (nfq_set_mode(queue, NFQNL_COPY_PACKET, 0xffff) < 0) fail("nfq_set_mode");
  int descriptor = nfq_fd(library);
  if (careful) {
    int one = 1, size = 8 << 20;
    nfq_set_queue_maxlen(queue, 8192);
    setsockopt(descriptor, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  }
  puts("ready");
  fflush(stdout);
  static char buffer[1 << 17] __attribute__((aligned));
  for (;;) {
    // The last ones of a burst get their verdict before there is anything to wait for.
    ssize_t length = recv(descriptor, buffer, careful ? sizeof buffer : 4096, waiting ? MSG_DONTWAIT : 0);
    if (length >= 0) {
      nfq_handle_packet(library, buffer, (int)length);
    } else if (errno == EAGAIN && waiting) {
      waiting = 0;
      nfq_set_verdict_batch(queue, last_id, NF_ACCEPT);
    } else if (errno != ENOBUFS) {
      fail("recv");
    }
  }
}
