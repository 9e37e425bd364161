package import BPF
package import Firewall
package import Kernel

/// What the programs on interfaces and links share: maps, by descriptor, and the secret of this divertd.
package struct HookMaps: ~Copyable, Sendable {
  /// By rule slot: packets, bytes, time of the last match (CLOCK_MONOTONIC_COARSE, ns); 64 bits each.
  package var counters: Map
  /// By ``HookEvent``: a 64-bit count.
  package let events: Map
  /// By divert port: the interface index of its link, 0 where nobody has bound the port.
  package let ports: Map
  /// The local IPv4 addresses, 4 bytes in network order.
  package let local4: Map
  /// The local IPv6 addresses, 16 bytes in network order.
  package let local6: Map
  /// By interface index: ``HookInterface``.
  package let interfaces: Map
  /// By socket cookie: ``SocketRights``, of the sockets that divertd made.
  package let sockets: Map

  package init(ruleCapacity: Int, interfaceCapacity: Int = 4096) throws(SystemError) {
    // All or none: a value that owns descriptors cannot be half made.
    let counters = try Map("divert_counters", .perCPUArray, valueSize: 24, capacity: ruleCapacity)
    let events = try Map("divert_events", .perCPUArray, valueSize: 8, capacity: HookEvent.allCases.count)
    let ports = try Map("divert_ports", .array, valueSize: 4, capacity: 65536)
    let local4 = try Map("divert_local4", .hash, keySize: 4, valueSize: 1, capacity: 65536)
    let local6 = try Map("divert_local6", .hash, keySize: 16, valueSize: 1, capacity: 65536)
    let interfaces = try Map("divert_devices", .hash, keySize: 4, valueSize: 8, capacity: interfaceCapacity)
    let sockets = try Map("divert_sockets", .hash, keySize: 8, valueSize: 4, capacity: 65536)
    self.counters = counters
    self.events = events
    self.ports = ports
    self.local4 = local4
    self.local6 = local6
    self.interfaces = interfaces
    self.sockets = sockets
  }
}

/// What happened to packets in the kernel, counted by the hooks.
package enum HookEvent: UInt32, CaseIterable, Sendable {
  /// Given to a link by `divert`.
  case diverted
  /// Copied to a link by `tee`.
  case teed
  /// Nobody has bound the port: a diverted packet dropped, or a tee's copy not made.
  case noPort
  /// Sent to divertd for judgement.
  case upcall
  /// More passes than ``FrameHeader/passLimit``.
  case looped
  case reinjectedIncoming
  case reinjectedOutgoing
  /// Written by divertd to a client.
  case delivered
  /// A frame on a link that is neither from our hooks nor from a socket of ours.
  case stranger
  /// A frame with a header that makes no sense.
  case badFrame
  /// Written as incoming on an interface that does not exist or carries no hook.
  case noInterface
  /// Written as outgoing, and no route leads there.
  case noRoute
  /// Written as outgoing and larger than the route's MTU.
  case tooBig
  /// A header that makes no sense: denied before any rule.
  case unreadable
}

/// What a hook has to know about an interface, 8 bytes.
package struct HookInterface: BitwiseCopyable, Sendable {
  package var address: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)
  package var flags: UInt16

  package static let loopback: UInt16 = 1

  package init(address: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8), isLoopback: Bool) {
    self.address = address
    self.flags = isLoopback ? Self.loopback : 0
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
  /// Rules beyond this many instructions are judged in user space. The verifier looks at each up to twenty times and
  /// gives up after a million looks; this is what it takes on Linux 6.18, some 5 000 short rules.
  package var instructionLimit = 40_000

  package init(direction: Direction, linkHeaderLength: Int, secret: UInt64, upcallInterface: UInt32) {
    self.direction = direction
    self.linkHeaderLength = linkHeaderLength
    self.secret = secret
    self.upcallInterface = upcallInterface
  }
}
