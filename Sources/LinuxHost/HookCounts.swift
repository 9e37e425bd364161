import BPF
import DivertWire
import Kernel
import RuleCompiler

/// What a port has been given by `divert` and by `tee`.
struct PortCounts: Equatable, Sendable {
  var diverted: UInt64 = 0
  var teed: UInt64 = 0

  static func + (left: PortCounts, right: PortCounts) -> PortCounts {
    PortCounts(diverted: left.diverted &+ right.diverted, teed: left.teed &+ right.teed)
  }
  static func - (left: PortCounts, right: PortCounts) -> PortCounts {
    PortCounts(diverted: left.diverted &- right.diverted, teed: left.teed &- right.teed)
  }
}

/// The maps where the hooks count by port and by socket, as memory: nothing there is ever set back.
struct HookCounts: ~Copyable {
  private let ports: SharedMapping
  private let sockets: SharedMapping
  /// What divertd itself has written to the sockets of ports.
  private var delivered: [UInt16: PortCounts] = [:]
  private var knownPorts: Set<UInt16> = []
  /// Ports where packets go on while nothing has bound them.
  private var passingPorts: Set<UInt16> = []

  init(_ maps: borrowing HookMaps) throws(SystemError) {
    let ports = try SharedMapping(
      of: maps.ports.descriptor, length: HookPort.size * HookPort.capacity, isWritable: true)
    let sockets = try SharedMapping(
      of: maps.socketCounts.descriptor, length: SocketCount.slotSize * HookMaps.socketCapacity)
    self.ports = ports
    self.sockets = sockets
  }

  // MARK: Ports

  /// Tells the hooks who listens on a port; link 0: nobody. Its counts go on: a whole entry, written by bpf(2), would
  /// undo what hooks count meanwhile.
  mutating func set(port: UInt16, link: UInt32, options: HookPortOptions) {
    knownPorts.insert(port)
    let entry = Int(port) * HookPort.size
    let policy: HookPortOptions = passingPorts.contains(port) ? .passing : []
    ports.store(options.union(policy).rawValue, at: entry + HookPort.Offset.options)
    ports.store(link, at: entry + HookPort.Offset.link)
  }

  /// Says at which ports packets go on with the next rule while nothing has bound them.
  mutating func setPassing(_ wanted: Set<UInt16>) {
    for port in wanted.symmetricDifference(passingPorts) {
      let place = Int(port) * HookPort.size + HookPort.Offset.options
      var options = HookPortOptions(rawValue: ports.half(at: place))
      if wanted.contains(port) { options.insert(.passing) } else { options.remove(.passing) }
      ports.store(options.rawValue, at: place)
    }
    passingPorts = wanted
  }

  /// Takes over what hooks have counted for an earlier divertd.
  ///
  /// - Returns: The ports to whose links the hooks give packets.
  mutating func takeOver() -> [UInt16] {
    var bound: [UInt16] = []
    for port in UInt16.min ... .max {
      let entry = Int(port) * HookPort.size
      if self[port] != PortCounts() { knownPorts.insert(port) }
      if ports.half(at: entry + HookPort.Offset.link) != 0 { bound.append(port) }
    }
    return bound
  }

  /// One more than the highest slot in which something was counted.
  var usedSlots: HandedSocket.Slot {
    let last = (0..<HandedSocket.Slot(HookMaps.socketCapacity)).last { self[slot: $0] != Counts() }
    return last.map { $0 + 1 } ?? 1
  }

  mutating func countDelivery(to port: UInt16, isTee: Bool) {
    if isTee {
      delivered[port, default: PortCounts()].teed += 1
    } else {
      delivered[port, default: PortCounts()].diverted += 1
    }
  }

  /// Since this divertd was started.
  subscript(port: UInt16) -> PortCounts {
    let entry = Int(port) * HookPort.size
    let hooks = PortCounts(
      diverted: ports.word(at: entry + HookPort.Offset.diverted),
      teed: ports.word(at: entry + HookPort.Offset.teed))
    return hooks + (delivered[port] ?? PortCounts())
  }

  /// Of all ports that have ever been bound.
  var allPorts: PortCounts { knownPorts.reduce(PortCounts()) { $0 + self[$1] } }

  // MARK: Sockets

  subscript(slot slot: HandedSocket.Slot) -> Counts<SocketCount> {
    Counts(
      SocketCount.allCases.map { sockets.word(at: Int(slot) * SocketCount.slotSize + $0.rawValue * 8) })
  }

  /// What all sockets have written that have these slots or had them.
  func written(by slots: Range<HandedSocket.Slot>) -> Counts<SocketCount> {
    slots.reduce(Counts()) { $0 + self[slot: $1] }
  }
}
