package import BPF
import DivertWire
package import Firewall
package import Kernel

/// What the programs on interfaces and links share: maps, by descriptor, and the secret of this divertd.
package struct HookMaps: Sendable {
  /// By rule slot: packets, bytes, time of the last match (CLOCK_MONOTONIC_COARSE, ns); 64 bits each.
  package var counters: Map
  /// By ``HookEvent``: a 64-bit count.
  package let events: Map
  /// One entry: what a CPU keeps of the packet that it judges (``Variable``).
  let packets: Map
  /// One entry: the rule image in force.
  package var images: Map
  package var imageSize = ImageSize.usual
  /// By divert port: ``HookPort``.
  package let ports: Map
  /// Where diverted packets were going: ``PathEntry``.
  package let paths: Map
  /// The local IPv4 addresses, 4 bytes in network order: the interface's index, 0 where several have the address.
  package let local4: Map
  /// The local IPv6 addresses, 16 bytes in network order: the same.
  package let local6: Map
  /// The networks that are this host's by its routes: prefix length and address; the value means nothing.
  package let localRoutes4: Map
  package let localRoutes6: Map
  /// The broadcast addresses of this host's networks, 4 bytes in network order: the interface's index, 0 for that of all
  /// networks.
  package let broadcast4: Map
  /// By interface index: ``HookInterface``.
  package let interfaces: Map
  /// The interfaces (4 bytes, their index) that give back to others what these send.
  package let returning: Map
  /// The link-layer addresses (6 bytes, then 2 of zero) of the interfaces that send by a parent's.
  package let children: Map
  /// By socket cookie: ``HookSocket``, of the sockets that divertd made.
  package let sockets: Map
  /// By slot: a 64-bit count for each `SocketCount`. Programs map it to learn why a packet was refused.
  package let socketCounts: Map

  /// For so many rules there are counters from the beginning: they take 8 MiB at most.
  package static let usualRules = max(1024, min(16_384, (8 << 20) / (24 * possibleCPUs)))

  /// Sockets that may exist at the same time.
  package static let socketCapacity = 16384

  /// - Parameter pins: Where an earlier divertd may have left what it has counted and handed out; see ``keep(in:)``.
  package init(
    ruleCapacity: Int, interfaceCapacity: Int = 4096, keptIn pins: PinDirectory? = nil
  ) throws(SystemError) {
    // All or none: a value that owns descriptors cannot be half made.
    let counters = try Map.kept(
      "divert_counters", in: pins, .perCPUArray, valueSize: 24, capacity: ruleCapacity)
    let events = try Map.kept(
      "divert_events", in: pins, .perCPUArray, valueSize: 8, capacity: HookEvent.allCases.count)
    let packets = try Map("divert_packet", .perCPUArray, valueSize: Variable.size, capacity: 1)
    let images = try ImageSize.usual.makeMap()
    let ports = try Map.kept(
      "divert_ports", in: pins, .array, valueSize: HookPort.size, capacity: HookPort.capacity,
      isMappable: true)
    let paths = try Map.kept(
      "divert_paths", in: pins, .array, valueSize: PathEntry.size, capacity: PathEntry.capacity,
      isMappable: true)
    let local4 = try Map("divert_local4", .hash, keySize: 4, valueSize: 4, capacity: 65536)
    let local6 = try Map("divert_local6", .hash, keySize: 16, valueSize: 4, capacity: 65536)
    let localRoutes4 = try Map(
      "divert_lroutes4", .longestPrefix, keySize: 8, valueSize: 4, capacity: 65536)
    let localRoutes6 = try Map(
      "divert_lroutes6", .longestPrefix, keySize: 20, valueSize: 4, capacity: 65536)
    let broadcast4 = try Map("divert_broad4", .hash, keySize: 4, valueSize: 4, capacity: 65536)
    let interfaces = try Map(
      "divert_devices", .hash, keySize: 4, valueSize: MemoryLayout<HookInterface>.size,
      capacity: interfaceCapacity)
    let returning = try Map("divert_returns", .hash, keySize: 4, valueSize: 1, capacity: interfaceCapacity)
    let children = try Map("divert_children", .hash, keySize: 8, valueSize: 1, capacity: interfaceCapacity)
    let sockets = try Map.kept(
      "divert_sockets", in: pins, .hash, keySize: 8, valueSize: MemoryLayout<HookSocket>.size,
      capacity: Self.socketCapacity)
    let socketCounts = try Map.kept(
      "divert_counts", in: pins, .array, valueSize: SocketCount.slotSize, capacity: Self.socketCapacity,
      isMappable: true, isFrozen: true)
    self.counters = counters
    self.events = events
    self.packets = packets
    self.images = images
    self.ports = ports
    self.paths = paths
    self.local4 = local4
    self.local6 = local6
    self.localRoutes4 = localRoutes4
    self.localRoutes6 = localRoutes6
    self.broadcast4 = broadcast4
    self.interfaces = interfaces
    self.returning = returning
    self.children = children
    self.sockets = sockets
    self.socketCounts = socketCounts
  }

  /// Leaves what is counted and handed out for the next divertd. All else is known anew by looking at the host.
  package func keep(in pins: PinDirectory) throws(SystemError) {
    try counters.pin(in: pins)
    try events.pin(in: pins)
    try ports.pin(in: pins)
    try paths.pin(in: pins)
    try sockets.pin(in: pins)
    try socketCounts.pin(in: pins)
  }
}

/// What happened to packets in the kernel, counted by the hooks; what was diverted is counted by port
/// (``HookPort``), and what was written by socket (`SocketCount`).
package enum HookEvent: UInt32, CaseIterable, Sendable {
  /// Nobody has bound the port: a diverted packet dropped, or a tee's copy not made.
  case noPort
  /// Sent to divertd for judgement.
  case upcall
  /// More passes than ``FrameHeader/passLimit``.
  case looped
  /// Written by divertd to a client.
  case delivered
  /// A frame on a link that is neither from our hooks nor from a socket of ours.
  case stranger
  /// A header that makes no sense: denied before any rule.
  case unreadable
  /// The table of paths had no room for that of a diverted packet: written back, it is routed anew.
  case noPath
  /// A packet was written back so late that the table has another's path there: it was routed anew.
  case lostPath
}

/// What a hook has to know about an interface, 16 bytes.
package struct HookInterface: BitwiseCopyable, Sendable {
  package var address: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)
  package var flags: UInt16
  package var mtu: UInt32
  /// Of a member: the link-local groups (01:80:c2:00:00:0x), a bit each, that IP gets on it and not on its master.
  package var groups: UInt16 = 0
  private var unused: UInt16 = 0

  package static let loopback: UInt16 = 1
  /// A VLAN device with identifier 0 lies on it, of 802.1Q or of 802.1ad.
  package static let hasVLAN0: UInt16 = 2
  package static let hasServiceVLAN0: UInt16 = 4
  package static let up: UInt16 = 8
  /// A tunnel that may learn from a packet's route where it leads.
  package static let needsRoute: UInt16 = 16

  package init(
    address: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8), mtu: UInt32, isLoopback: Bool, isUp: Bool,
    needsRoute: Bool
  ) {
    self.address = address
    self.mtu = mtu
    flags = (isLoopback ? Self.loopback : 0) | (isUp ? Self.up : 0) | (needsRoute ? Self.needsRoute : 0)
  }

  enum Offset {
    static let address = 0
    static let flags = 6
    static let mtu = 8
    static let groups = 12
  }
}

/// What a hook has to know about a divert port, 24 bytes.
package struct HookPort: BitwiseCopyable, Sendable {
  /// The interface index of its link, 0 where nobody has bound the port.
  package var link: UInt32
  package var options: HookPortOptions
  /// Given to the link by `divert`, and copied to it by `tee`, since there are hooks.
  package var diverted: UInt64 = 0
  package var teed: UInt64 = 0

  package init(link: UInt32, options: HookPortOptions = []) { (self.link, self.options) = (link, options) }

  package static let size = 24
  package static let capacity = 65536

  package enum Offset {
    package static let link = 0
    package static let options = 4
    package static let diverted = 8
    package static let teed = 16
  }
}

/// What the socket of a port wants: `SocketOptions` as the hooks read them.
package struct HookPortOptions: OptionSet, BitwiseCopyable, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  /// Fragments as they are, not reassembled.
  package static let fragments = HookPortOptions(rawValue: 1)
  /// Who has made each packet, in its priority.
  package static let owner = HookPortOptions(rawValue: 8)
  /// Not of the socket: packets go on with the next rule while nothing has bound the port.
  package static let passing = HookPortOptions(rawValue: 1 << 31)
}

/// What a link's hook has to know about a socket, 8 bytes.
package struct HookSocket: BitwiseCopyable, Sendable {
  package var rights: SocketRights
  /// Where it is counted in ``HookMaps/socketCounts``.
  package var slot: UInt32

  package init(rights: SocketRights, slot: UInt32) { (self.rights, self.slot) = (rights, slot) }

  enum Offset {
    static let rights = 0
    static let slot = 4
  }
}

/// What a socket may write to a link.
package struct SocketRights: OptionSet, BitwiseCopyable, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let reinject = SocketRights(rawValue: 1)
  /// divertd's own: deliver to clients, and let pass what it has judged itself.
  package static let deliver = SocketRights(rawValue: 2)
}

/// What a hook program is generated for.
package struct HookEnvironment: Sendable {
  package var direction: Direction
  /// 14 on Ethernet-like devices, 0 on those without a link-layer header (tun, wireguard).
  package var linkHeaderLength: Int
  /// Proves to a hook that a mark in `cb` is of this divertd.
  package var secret: UInt64
  /// The link whose socket is divertd's, for packets that are to be judged in user space.
  package var upcallInterface: UInt32
  /// Whether fragments go up where they may have to be judged with the rest of their datagram; if not, each is judged
  /// as it is.
  package var waitsForFragments = true
  /// Whether the interface is a member of a bridge, bond or team.
  package var isMember = false
  /// Whether macvlan devices of this host send by the interface.
  package var hasChildren = false
  /// Whether divertd judges all packets, from the first rule on: for interfaces that no image is made for yet.
  package var judgesInUserSpace = false

  package init(direction: Direction, linkHeaderLength: Int, secret: UInt64, upcallInterface: UInt32) {
    self.direction = direction
    self.linkHeaderLength = linkHeaderLength
    self.secret = secret
    self.upcallInterface = upcallInterface
  }
}
