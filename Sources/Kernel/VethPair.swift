import CSystem
import Glibc

/// A pair of virtual Ethernet devices (veth(4)): what is sent to one arrives at the other. It exists until it is
/// deleted, whichever process made it.
///
/// A TAP device without an open descriptor loses its carrier and shows nothing to packet sockets any more; a bridge loses
/// it when its address is set, as udev does. A pair whose ends are up keeps its carrier by itself.
package struct VethPair: Sendable {
  package let index: UInt32
  package let name: String
  /// Of the other end, where all that arrives is to be dropped.
  package let endIndex: UInt32

  /// Names of interfaces have at most 15 bytes: `divert65535-end`.
  private static func end(of name: String) -> String { "\(name)-end" }

  /// The pair of this name that there is.
  package init?(existing name: String) {
    let (index, endIndex) = (unsafe if_nametoindex(name), unsafe if_nametoindex(Self.end(of: name)))
    guard index != 0, endIndex != 0 else { return nil }
    (self.name, self.index, self.endIndex) = (name, index, endIndex)
  }

  /// Creates a pair whose first device gives packet sockets what is on the wire: cut to size, with complete checksums.
  ///
  /// - Throws: `EEXIST` where there is such a name.
  package init(_ name: String, mtu: UInt32) throws(SystemError) {
    let end = Self.end(of: name)
    try Self.create(name, end)
    do throws(SystemError) {
      // ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_STSO, ETHTOOL_SGSO
      for offload: UInt32 in [0x17, 0x19, 0x1f, 0x24] { try switchOff(offload, of: name) }
      // The other end takes only what is small (the least MTU that Ethernet devices have): the rest is dropped at once.
      try prepareLink(end, mtu: 68)
      try prepareLink(name, mtu: mtu)
      guard let pair = VethPair(existing: name) else { throw SystemError("find the device \(name)") }
      self = pair
    } catch {
      try? Self.delete(name)
      throw error
    }
  }

  /// RTM_NEWLINK: struct ifinfomsg, then attributes.
  private static func create(_ name: String, _ end: String) throws(SystemError) {
    let header = [UInt8](repeating: 0, count: 16)
    var peer = header
    peer.appendAttribute(3, end)  // IFLA_IFNAME
    var data: [UInt8] = []
    data.appendAttribute(1, peer)  // VETH_INFO_PEER
    var information: [UInt8] = []
    information.appendAttribute(1, "veth")  // IFLA_INFO_KIND
    information.appendAttribute(2, data)  // IFLA_INFO_DATA
    var body = header
    body.appendAttribute(3, name)
    body.appendAttribute(18, information)  // IFLA_LINKINFO
    let netlink = try NetlinkSocket(protocolNumber: 0)
    do throws(SystemError) {
      // NLM_F_CREATE | NLM_F_EXCL
      try netlink.request(type: 16, flags: 0x600, body, "create the device \(name)")
    } catch {
      guard error.code == EOPNOTSUPP else { throw error }
      throw SystemError(
        error.action, code: error.code,
        advice: "the kernel lacks veth; try `modprobe veth`, or build it with CONFIG_VETH")
    }
  }

  /// Deletes both ends.
  package func delete() throws(SystemError) { try Self.delete(name) }

  private static func delete(_ name: String) throws(SystemError) {
    var body = [UInt8](repeating: 0, count: 16)
    body.appendAttribute(3, name)
    try NetlinkSocket(protocolNumber: 0).request(type: 17, body, "delete the device \(name)")  // RTM_DELLINK
  }
}
