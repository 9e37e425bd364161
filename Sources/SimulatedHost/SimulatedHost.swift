import DivertEngine
import DivertWire
import Firewall
public import Kernel
import Packets
import Synchronization

/// A host in this process: interfaces, routes, the rules of ipfw and divert sockets, with no privilege.
///
/// ```swift
/// let host = SimulatedHost()
/// try host.addInterface("em0", "192.0.2.2/24")
/// try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
/// var socket = try DivertSocket(port: 2000, on: host)
/// host.receive(.echoRequest(from: "192.0.2.1", to: "192.0.2.2"), on: "em0")
/// ```
///
/// Everything happens at once and in order: when `receive` returns, the packet has gone as far as it can by
/// itself. Where a rule diverts it, it waits in the socket; writing it back takes it further, and tells the
/// writer the same errors as on BSD. What leaves on an interface arrives at the other end of its
/// ``connect(_:to:_:)``, or lies in ``transmitted(on:)``.
public final class SimulatedHost: Sendable {
  public let name: String
  let clock: SimulatedClock
  let state: Mutex<HostState>

  /// - Parameters:
  ///   - forwards: Whether the host is a router.
  ///   - clock: May be shared by several hosts.
  public init(
    named name: String = "host", forwards: Bool = false, clock: SimulatedClock = SimulatedClock()
  ) {
    (self.name, self.clock) = (name, clock)
    state = Mutex(HostState(forwards: forwards))
    state.withLock { $0.host = self }
  }

  // MARK: Configuration

  /// Adds an interface with addresses such as `192.0.2.1/24`; their networks are reached through it. The first
  /// IPv4 address is the one that divert addresses tell.
  ///
  /// - Parameter mtu: The largest IP packet it sends, 68...65535 bytes; what is larger is sent in fragments.
  /// - Returns: Its index.
  @discardableResult
  public func addInterface(
    _ name: String, _ addresses: String..., mtu: Int = 1500
  ) throws(SimulationError) -> UInt32 {
    var prefixes: [Prefix] = []
    for text in addresses { prefixes.append(try Prefix(text)) }
    return try state.withLock { state throws(SimulationError) in
      try state.addInterface(name, prefixes, mtu: mtu)
    }
  }

  /// Sends what goes to a network (`198.51.100.0/24`, `default`) out on an interface.
  public func addRoute(to network: String, on interface: String) throws(SimulationError) {
    let prefixes = network == "default" ? [Prefix.all4, Prefix.all6] : [try Prefix(network)]
    try state.withLock { state throws(SimulationError) in
      let index = try state.index(of: interface)
      state.routes += prefixes.map { Route(prefix: $0, interface: index) }
    }
  }

  /// Joins two interfaces by a wire: what one transmits, the other receives.
  public func connect(
    _ interface: String, to other: SimulatedHost, _ otherInterface: String
  ) throws(SimulationError) {
    let index = try state.withLock { state throws(SimulationError) in try state.index(of: interface) }
    let otherIndex = try other.state.withLock { state throws(SimulationError) in
      try state.index(of: otherInterface)
    }
    state.withLock { $0.interfaces[index]?.peer = Peer(host: other, interface: otherIndex) }
    other.state.withLock { $0.interfaces[otherIndex]?.peer = Peer(host: self, interface: index) }
  }

  // MARK: Packets

  /// A packet arrives on an interface.
  public func receive(_ packet: [UInt8], on interface: String) throws(SimulationError) {
    let index = try state.withLock { state throws(SimulationError) in try state.index(of: interface) }
    Transit.run(Transit(host: self, packet: packet, interface: index))
  }

  /// A program on this host sends a packet.
  ///
  /// - Parameters:
  ///   - mark: What the program marks it with.
  ///   - owner: The user whose program it is.
  /// - Throws: `EHOSTUNREACH` without a route, `EACCES` when a rule denies it.
  public func send(_ packet: [UInt8], mark: UInt32 = 0, owner: UInt32? = nil) throws(SystemError) {
    let code = perform { $0.send(packet, PacketOrigin(mark: mark, owner: owner)) }
    if code != 0 { throw SystemError("send a packet", code: code) }
  }

  /// The packets that have reached this host and are addressed to it, in order, except for the echo requests
  /// that it has answered. They are forgotten as they are told.
  public func takeReceived() -> [[UInt8]] {
    state.withLock { state in
      defer { state.received = [] }
      return state.received
    }
  }

  /// Packets that have left on an interface that no wire joins, in order.
  public func transmitted(on interface: String) -> [[UInt8]] {
    state.withLock { state in
      (try? state.index(of: interface)).flatMap { state.interfaces[$0]?.transmitted } ?? []
    }
  }

  /// What has happened on this host, apart from its rules' counters.
  public var counters: SimulatedCounters { state.withLock { $0.publicCounters } }

  /// Does something to the state, then lets what it has sent travel on. An errno comes back.
  func perform(_ body: (inout HostState) -> CInt) -> CInt {
    let (code, outbox) = state.withLock { state in
      state.now = clock.now
      let code = body(&state)
      return (code, state.takeOutbox())
    }
    Transit.run(outbox)
    return code
  }
}

/// What has happened on a simulated host.
public struct SimulatedCounters: Sendable, Equatable {
  /// Packets that divert sockets got.
  public var diverted: UInt64 = 0
  /// Diverted to a port that nobody has bound.
  public var noListener: UInt64 = 0
  /// Diverted to a socket whose receive buffer was full.
  public var droppedFull: UInt64 = 0
  /// Written back too often.
  public var looped: UInt64 = 0
  public var reinjectedIncoming: UInt64 = 0
  public var reinjectedOutgoing: UInt64 = 0
  /// Arrived with a header that makes no sense, or a wrong checksum.
  public var badHeader: UInt64 = 0
  /// Too large for the interface they were to leave by, and not to be fragmented.
  public var tooBig: UInt64 = 0
  /// Denied by a rule, in either pass.
  public var denied: UInt64 = 0
  public var forwarded: UInt64 = 0
  public var timeToLiveExceeded: UInt64 = 0
  /// To somewhere without a route, or to be forwarded by a host that does not.
  public var unreachable: UInt64 = 0
}

/// A mistake in the set-up of a simulation.
public struct SimulationError: Error, Equatable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// The time on simulated hosts: it stands still until somebody turns it.
public final class SimulatedClock: Sendable {
  private let nanoseconds: Atomic<UInt64>

  /// - Parameter secondsSince1970: Where the clock stands.
  public init(secondsSince1970 seconds: UInt64 = 946_684_800) {
    nanoseconds = Atomic(seconds * 1_000_000_000)
  }

  /// In nanoseconds since 1970.
  public var now: UInt64 { nanoseconds.load(ordering: .relaxed) }

  public func advance(by duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let step = UInt64(max(0, seconds)) * 1_000_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000
    nanoseconds.wrappingAdd(step, ordering: .relaxed)
  }
}
