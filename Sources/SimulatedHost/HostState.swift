import DivertEngine
import DivertWire
import Firewall
import Packets
import Synchronization

/// What a host is, under its lock.
struct HostState: Sendable {
  var engine: DivertEngine
  weak var host: SimulatedHost?
  /// By index; 1 is the loopback interface.
  var interfaces: [UInt32: Interface] = [:]
  var routes: [Route] = []
  var ports = PortTable<SocketEnd>()
  var marks = FormerMarks()
  let forwards: Bool
  var received: [[UInt8]] = []
  var counters = SimulatedCounters()
  /// Fragments on their way through the host, and where they are.
  var waiting: [(packet: [UInt8], onward: Onward)] = []
  /// Fragments that are addressed to this host.
  var arrived = FragmentQueue<Void>()
  /// Of the IPv6 packets that this host has cut.
  var lastIdentification: UInt32 = 0
  /// Packets that came in with a wrong header checksum, which ``SimulatedCounters/badHeader`` counts, too.
  var badChecksums: UInt64 = 0
  /// What has been transmitted on a wire, or on loopback, and is yet to arrive.
  var outbox: [Transit] = []

  static let loopback: UInt32 = 1

  struct Interface: Sendable {
    var name: String
    var addresses: [Prefix]
    /// The largest IP packet it takes, in bytes.
    var mtu: Int
    var peer: Peer?
    var transmitted: [[UInt8]] = []
  }

  init(forwards: Bool) {
    self.forwards = forwards
    engine = DivertEngine(ruleSet: RuleSet(default: .allow), view: HostView())
    interfaces[Self.loopback] = Interface(
      name: "lo0",
      addresses: [
        Prefix(address: HostAddress(IPv4Address(rawValue: 0x7f00_0001)), length: 8),
        Prefix(address: HostAddress(IPv6Address(high: 0, low: 1)), length: 128),
      ], mtu: 65_535)
    updateView()
  }

  var now: UInt64 {
    get { engine.now }
    set {
      engine.ruleCounters.now = newValue
      engine.now = newValue
      if engine.fragments.heldDatagrams > 0 { expireFragments() }
    }
  }

  mutating func takeOutbox() -> [Transit] {
    defer { outbox = [] }
    return outbox
  }

  // MARK: Interfaces and routes

  mutating func addInterface(
    _ name: String, _ addresses: [Prefix], mtu: Int
  ) throws(SimulationError) -> UInt32 {
    guard !interfaces.values.contains(where: { $0.name == name }) else {
      throw SimulationError("there is an interface \(name) already")
    }
    guard (1...15).contains(name.utf8.count) else {
      throw SimulationError("an interface's name has 1 to 15 bytes: \(name)")
    }
    guard (68...65_535).contains(mtu) else {
      throw SimulationError("an interface takes packets of 68 to 65535 bytes (RFC 791), not \(mtu)")
    }
    let index = UInt32(interfaces.count + 1)
    interfaces[index] = Interface(name: name, addresses: addresses, mtu: mtu)
    routes += addresses.map { Route(prefix: $0, interface: index) }
    updateView()
    return index
  }

  /// Gives an interface further addresses; their networks are reached through it.
  mutating func add(_ addresses: [Prefix], to index: UInt32) {
    interfaces[index]?.addresses += addresses
    routes += addresses.map { Route(prefix: $0, interface: index) }
    updateView()
  }

  func index(of name: String) throws(SimulationError) -> UInt32 {
    guard let index = interfaces.first(where: { $0.value.name == name })?.key else {
      throw SimulationError("there is no interface \(name)")
    }
    return index
  }

  func owner(of address: HostAddress) -> UInt32? {
    interfaces.keys.sorted().first { index in
      interfaces[index]?.addresses.contains { $0.address == address } == true
    }
  }

  func isLocal(_ address: HostAddress) -> Bool {
    if address.isMulticast || owner(of: address) != nil { return true }
    return interfaces.values.contains { $0.addresses.contains { $0.isBroadcast(address) } }
  }

  /// The interface that a packet to an address leaves by: the loopback one for this host's own addresses, else
  /// that of the longest matching prefix.
  func route(to address: HostAddress) -> UInt32? {
    if owner(of: address) != nil || address.isLoopback { return Self.loopback }
    return routes.filter { $0.prefix.contains(address) }.max { $0.prefix.length < $1.prefix.length }?
      .interface
  }

  /// The address that packets leaving by an interface come from.
  func sourceAddress(on interface: UInt32, version: UInt8) -> HostAddress? {
    interfaces[interface]?.addresses.first { $0.address.version == version }?.address
  }

  private mutating func updateView() {
    engine.replace(
      HostView(
        interfaces: interfaces.sorted { $0.key < $1.key }.map { index, interface in
          HostView.Interface(
            index: index, name: interface.name,
            addresses4: interface.addresses.compactMap(\.address.version4),
            addresses6: interface.addresses.compactMap(\.address.version6))
        }))
  }

  var publicCounters: SimulatedCounters {
    var all = counters
    all.diverted = engine.counters.delivered
    all.noListener = engine.counters.noListener
    all.droppedFull = engine.counters.droppedFull
    all.looped = engine.counters.looped
    all.reinjectedIncoming = engine.counters.reinjectedIncoming
    all.reinjectedOutgoing = engine.counters.reinjectedOutgoing
    return all
  }
}

/// The other end of a wire.
struct Peer: Sendable {
  // A wire joins two hosts, and neither keeps the other alive.
  weak var host: SimulatedHost?
  let interface: UInt32
}

/// A packet on its way to an interface.
struct Transit: Sendable {
  let host: SimulatedHost
  let packet: [UInt8]
  let interface: UInt32

  /// Lets packets arrive, and those that are sent because of them, until none is under way. Hosts are not
  /// locked while a packet is between them, so they may answer each other.
  static func run(_ first: [Transit]) {
    var waiting = first[...]
    while let next = waiting.popFirst() {
      waiting += next.host.state.withLock { state in
        state.now = next.host.clock.now
        state.input(next.packet, on: next.interface)
        return state.takeOutbox()
      }
    }
  }

  static func run(_ first: Transit) { run([first]) }
}
