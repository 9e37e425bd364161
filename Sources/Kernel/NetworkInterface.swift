import CSystem
import Glibc

/// An interface of this network namespace, as rtnetlink(7) tells.
package struct NetworkInterface: Sendable, Equatable {
  package var index: UInt32
  package var name: String
  package var isUp: Bool
  package var isLoopback: Bool
  /// Whether packets start with an Ethernet header; tun, wireguard and their like have none.
  package var hasLinkHeader: Bool
  /// The link-layer address, six zero bytes where there is none.
  package var linkAddress: [UInt8]
  package var mtu: UInt32
  /// The bridge, bond or VRF it belongs to, 0 for none.
  package var master: UInt32
  /// `bridge`, `bond`, `tun`, `veth` …; empty for hardware.
  package var kind: String
  /// In order of configuration, host byte order.
  package var addresses4: [UInt32] = []
  /// The broadcast addresses of its networks, host byte order.
  package var broadcasts4: Set<UInt32> = []
  /// As two halves in host byte order.
  package var addresses6: [(high: UInt64, low: UInt64)] = []

  package static func == (left: NetworkInterface, right: NetworkInterface) -> Bool {
    left.index == right.index && left.name == right.name && left.isUp == right.isUp
      && left.linkAddress == right.linkAddress && left.mtu == right.mtu && left.master == right.master
      && left.addresses4 == right.addresses4 && left.broadcasts4 == right.broadcasts4
      && left.addresses6.elementsEqual(right.addresses6) { $0.high == $1.high && $0.low == $1.low }
  }

  /// All interfaces of this namespace with their addresses.
  package static func all() throws(SystemError) -> [NetworkInterface] {
    let netlink = try NetlinkSocket(protocolNumber: 0)
    var interfaces: [NetworkInterface] = []
    try netlink.dump(type: 18, [UInt8](repeating: 0, count: 16), "list the interfaces") { type, message in
      if type == 16, let interface = NetworkInterface(parsing: message) { interfaces.append(interface) }
    }
    var positions: [UInt32: Int] = [:]
    for (position, interface) in interfaces.enumerated() { positions[interface.index] = position }
    try netlink.dump(type: 22, [UInt8](repeating: 0, count: 8), "list the addresses") { type, message in
      guard type == 20, message.byteCount >= 8, let position = positions[message.host(at: 4, as: UInt32.self)]
      else { return }
      interfaces[position].addAddress(message)
    }
    return interfaces
  }

  /// A link message: struct ifinfomsg (16 bytes), then attributes.
  private init?(parsing message: RawSpan) {
    guard message.byteCount >= 16 else { return nil }
    let type = message.host(at: 2, as: UInt16.self)
    let flags = message.host(at: 8, as: UInt32.self)
    index = message.host(at: 4, as: UInt32.self)
    isUp = flags & 1 != 0  // IFF_UP
    isLoopback = flags & 8 != 0  // IFF_LOOPBACK
    hasLinkHeader = type == 1 || type == 772  // ARPHRD_ETHER, ARPHRD_LOOPBACK
    var (name, kind, address, mtu, master) = ("", "", [UInt8](), UInt32(0), UInt32(0))
    message.eachAttribute(from: 16) { type, value in
      switch Int(type) {
      case 1: address = value.array  // IFLA_ADDRESS
      case 3: name = value.text  // IFLA_IFNAME
      case 4: mtu = value.host(at: 0, as: UInt32.self)  // IFLA_MTU
      case 10: master = value.host(at: 0, as: UInt32.self)  // IFLA_MASTER
      case 18:  // IFLA_LINKINFO
        value.eachAttribute(from: 0) { type, value in
          if type == 1 { kind = value.text }  // IFLA_INFO_KIND
        }
      default: break
      }
    }
    (self.name, self.kind, self.mtu, self.master) = (name, kind, mtu, master)
    linkAddress = address.count == 6 ? address : [UInt8](repeating: 0, count: 6)
  }

  /// An address message: struct ifaddrmsg (8 bytes), then attributes. IFA_LOCAL is the own address; IFA_ADDRESS is the
  /// peer's on point-to-point links, and the own one where there is no IFA_LOCAL.
  private mutating func addAddress(_ message: RawSpan) {
    let family = message.host(at: 0, as: UInt8.self)
    var (local, address) = ([UInt8](), [UInt8]())
    message.eachAttribute(from: 8) { type, value in
      if type == 1 { address = value.array }
      if type == 2 { local = value.array }
    }
    let bytes = local.isEmpty ? address : local
    switch (CInt(family), bytes.count) {
    case (AF_INET, 4):
      let value = bytes.reduce(0) { $0 << 8 | UInt32($1) }
      addresses4.append(value)
      let prefixLength = message.host(at: 1, as: UInt8.self)
      if prefixLength < 31 { broadcasts4.insert(value | .max >> UInt32(prefixLength)) }
    case (AF_INET6, 16):
      addresses6.append(
        (bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }, bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }))
    default: break
    }
  }
}

extension RawSpan {
  fileprivate var array: [UInt8] {
    (0..<byteCount).map { unsafe unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
  }
  fileprivate var text: String { String(decoding: array.prefix { $0 != 0 }, as: UTF8.self) }
}
