import CSystem
import Glibc

extension NetworkInterface {
  /// All interfaces of this namespace with their addresses.
  package static func all() throws(SystemError) -> [NetworkInterface] {
    try all(NetlinkSocket(protocolNumber: 0))
  }

  /// The same over a socket that is there already, so that no descriptor is needed.
  package static func all(_ netlink: borrowing NetlinkSocket) throws(SystemError) -> [NetworkInterface] {
    // What changes while it is listed is listed again; when it never stops, the next change's event brings the rest.
    for _ in 0..<3 {
      let (interfaces, isConsistent) = try list(netlink)
      if isConsistent { return interfaces }
    }
    return try list(netlink).interfaces
  }

  private static func list(
    _ netlink: borrowing NetlinkSocket
  ) throws(SystemError) -> (interfaces: [NetworkInterface], isConsistent: Bool) {
    var interfaces: [NetworkInterface] = []
    let header = [UInt8](repeating: 0, count: 16)  // struct ifinfomsg
    let links = try netlink.dump(type: UInt16(RTM_GETLINK), header, "list the interfaces") { type, message in
      guard type == RTM_NEWLINK, let interface = NetworkInterface(parsing: message) else { return }
      interfaces.append(interface)
    }
    var positions: [UInt32: Int] = [:]
    for (position, interface) in interfaces.enumerated() { positions[interface.index] = position }
    let family = [UInt8](repeating: 0, count: 8)  // struct ifaddrmsg
    let addresses = try netlink.dump(type: UInt16(RTM_GETADDR), family, "list the addresses") {
      type, message in
      guard type == RTM_NEWADDR, message.byteCount >= 8,
        let position = positions[message.host(at: 4, as: UInt32.self)]
      else { return }
      interfaces[position].addAddress(message)
    }
    return (interfaces, links && addresses)
  }

  /// A link message: struct ifinfomsg (16 bytes), then attributes.
  private init?(parsing message: RawSpan) {
    guard message.byteCount >= 16 else { return nil }
    let flags = message.host(at: 8, as: UInt32.self)
    hardwareType = message.host(at: 2, as: UInt16.self)
    index = message.host(at: 4, as: UInt32.self)
    isUp = flags & 1 != 0  // IFF_UP
    isLoopback = flags & 8 != 0  // IFF_LOOPBACK
    var (name, kind, address, mtu) = ("", "", [UInt8](), UInt32(0))
    var hasPeer = false
    var (master, parent, isParentElsewhere) = (UInt32(0), UInt32(0), false)
    var detail = Detail()
    message.eachAttribute(from: 16) { type, value in
      switch Int(type) {
      case 1: address = value.array  // IFLA_ADDRESS
      case 2: hasPeer = value.array.contains { $0 != 0 }  // IFLA_BROADCAST: a tunnel's other end
      case 3: name = value.text  // IFLA_IFNAME
      case 4: mtu = value.number()  // IFLA_MTU
      case 5: parent = value.number()  // IFLA_LINK
      case 10: master = value.number()  // IFLA_MASTER
      case 18: (kind, detail) = Self.linkInformation(value)  // IFLA_LINKINFO
      case 37: isParentElsewhere = true  // IFLA_LINK_NETNSID
      default: break
      }
    }
    (self.name, self.kind, self.mtu, self.master) = (name, kind, mtu, master)
    (self.detail, self.hasPeer) = (detail, hasPeer)
    self.parent = isParentElsewhere || parent == index ? 0 : parent
    linkAddress = address.count == 6 ? address : [UInt8](repeating: 0, count: 6)
  }

  /// IFLA_LINKINFO: the kind, and what only that kind has.
  private static func linkInformation(_ message: RawSpan) -> (kind: String, Detail) {
    var (kind, memberKind) = ("", "")
    message.eachAttribute(from: 0) { type, value in
      if type == 1 { kind = value.text }  // IFLA_INFO_KIND
      if type == 4 { memberKind = value.text }  // IFLA_INFO_SLAVE_KIND
    }
    var detail = Detail()
    message.eachAttribute(from: 0) { type, value in
      if type == 2 { value.eachAttribute(from: 0) { detail.read(kind, $0, $1) } }  // IFLA_INFO_DATA
      if type == 5, memberKind == "bridge" {  // IFLA_INFO_SLAVE_DATA
        value.eachAttribute(from: 0) { type, value in
          if type == 31 { detail.memberForwardedGroups = value.number() }  // IFLA_BRPORT_GROUP_FWD_MASK
        }
      }
    }
    return (kind, detail)
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
        Address6(
          high: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) },
          low: bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }))
    default: break
    }
  }
}

extension NetworkInterface.Detail {
  /// An attribute of IFLA_INFO_DATA, as linux/if_link.h and linux/if_tunnel.h number them for each kind.
  fileprivate mutating func read(_ kind: String, _ type: UInt16, _ value: RawSpan) {
    switch (kind, type) {
    case ("vlan", 1): vlanIdentifier = value.number()  // IFLA_VLAN_ID
    case ("vlan", 5): vlanProtocol = UInt16(bigEndian: value.number())  // IFLA_VLAN_PROTOCOL
    case ("bridge", 5): spanningTree = value.number() as UInt32 != 0  // IFLA_BR_STP_STATE
    case ("bridge", 8): bridgeVLANProtocol = UInt16(bigEndian: value.number())  // IFLA_BR_VLAN_PROTOCOL
    case ("bridge", 9): forwardedGroups = value.number()  // IFLA_BR_GROUP_FWD_MASK
    case ("macvlan", 1), ("macvtap", 1):  // IFLA_MACVLAN_MODE
      isPassthru = value.number() as UInt32 == 8  // MACVLAN_MODE_PASSTHRU
    case ("gre", 7), ("ip6gre", 7):  // IFLA_GRE_REMOTE
      let address = value.array
      let isGroup = address.count == 4 ? address[0] & 0xf0 == 0xe0 : address.first == 0xff
      if address.contains(where: { $0 != 0 }), !isGroup { isPointToPoint = true }
    case ("gre", 18), ("ip6gre", 18): isPointToPoint = true  // IFLA_GRE_COLLECT_METADATA
    default: break
    }
  }
}

extension RawSpan {
  fileprivate var array: [UInt8] {
    (0..<byteCount).map { unsafe unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
  }
  fileprivate var text: String { String(decoding: array.prefix { $0 != 0 }, as: UTF8.self) }
  /// An attribute that is one integer; 0 where it is too short for one.
  fileprivate func number<Integer: FixedWidthInteger & BitwiseCopyable>() -> Integer {
    byteCount >= MemoryLayout<Integer>.size ? host(at: 0, as: Integer.self) : 0
  }
}
