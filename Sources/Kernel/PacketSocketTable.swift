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
  }

  package let entries: [Entry]

  /// - Complexity: some 0.2 ms for 100 sockets.
  package static func read() throws(SystemError) -> PacketSocketTable {
    let netlink = try NetlinkSocket(protocolNumber: 4)
    // struct packet_diag_req: family, protocol, padding, inode, what to show (PACKET_SHOW_INFO), cookie.
    var request: [UInt8] = [UInt8(AF_PACKET), 0, 0, 0]
    request.appendHost(UInt32(0))
    request.appendHost(UInt32(1))
    request.appendHost(UInt32.max)
    request.appendHost(UInt32.max)
    var entries: [Entry] = []
    try netlink.dump(type: 20, request, "list the packet sockets") { type, message in
      // struct packet_diag_msg: family, type, protocol, inode, cookie (two words, low first).
      guard type == 20, message.byteCount >= 16 else { return }
      let cookie =
        UInt64(message.host(at: 8, as: UInt32.self)) | UInt64(message.host(at: 12, as: UInt32.self)) << 32
      var interface: UInt32 = 0
      message.eachAttribute(from: 16) { type, value in
        if type == 0 { interface = value.host(at: 0, as: UInt32.self) }  // PACKET_DIAG_INFO: pdi_index
      }
      entries.append(Entry(interface: interface, cookie: cookie, inode: message.host(at: 4, as: UInt32.self)))
    }
    return PacketSocketTable(entries: entries)
  }
}
