import CSystem
import Glibc

/// The packet sockets of this network namespace, asked from the kernel (sock_diag(7), PACKET_DIAG).
package struct PacketSocketTable: Sendable {
  package struct Entry: Sendable, Equatable {
    /// The interface it is bound to, 0 for none.
    package let interface: UInt32
    /// What bpf_get_socket_cookie() and SO_COOKIE give.
    package let cookie: UInt64
    package let inode: UInt32
    package let buffer: ReceiveBuffer
  }

  /// What waits in a socket, as the kernel accounts for it (SK_MEMINFO).
  package struct ReceiveBuffer: Sendable, Equatable {
    /// Bytes that wait, and that may wait.
    package var waiting: UInt32 = 0
    package var size: UInt32 = 0
    /// What has found no room since the socket was opened; begins anew after 2³².
    package var drops: UInt32 = 0
  }

  package let entries: [Entry]

  /// - Complexity: some 0.2 ms for 100 sockets.
  package static func read() throws(SystemError) -> PacketSocketTable {
    let netlink = try NetlinkSocket(protocolNumber: 4)
    // struct packet_diag_req: family, protocol, padding, inode, what to show (PACKET_SHOW_INFO, PACKET_SHOW_MEMINFO), cookie.
    var request: [UInt8] = [UInt8(AF_PACKET), 0, 0, 0]
    request.appendHost(UInt32(0))
    request.appendHost(UInt32(1 | 0x10))
    request.appendHost(UInt32.max)
    request.appendHost(UInt32.max)
    var entries: [Entry] = []
    try netlink.dump(type: 20, request, "list the packet sockets") { type, message in
      // struct packet_diag_msg: family, type, protocol, inode, cookie (two words, low first).
      guard type == 20, message.byteCount >= 16 else { return }
      let cookie =
        UInt64(message.host(at: 8, as: UInt32.self)) | UInt64(message.host(at: 12, as: UInt32.self)) << 32
      var interface: UInt32 = 0
      var buffer = ReceiveBuffer()
      message.eachAttribute(from: 16) { type, value in
        switch type {
        case 0: interface = value.host(at: 0, as: UInt32.self)  // PACKET_DIAG_INFO: pdi_index
        case 6 where value.byteCount >= 36:  // PACKET_DIAG_MEMINFO: SK_MEMINFO_RMEM_ALLOC, _RCVBUF, …, _DROPS
          buffer.waiting = value.host(at: 0, as: UInt32.self)
          buffer.size = value.host(at: 4, as: UInt32.self)
          buffer.drops = value.host(at: 32, as: UInt32.self)
        default: break
        }
      }
      entries.append(
        Entry(
          interface: interface, cookie: cookie, inode: message.host(at: 4, as: UInt32.self), buffer: buffer))
    }
    return PacketSocketTable(entries: entries)
  }
}
