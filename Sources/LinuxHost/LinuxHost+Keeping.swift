import BPF
import DivertEngine
import Firewall
import Kernel
import RuleCompiler

/// What is left for the next divertd, and what an earlier one has left (``KeptHost``).
extension LinuxHost {
  /// Ends the service; if anything is to stay without it, that stays.
  package func leave() {
    guard let kept else { return shutDown() }
    keepCounters()
    kept.leave()
  }

  /// Whether the rules outlive this process.
  package var staysInForce: Bool { kept?.stays ?? false }

  /// What the next divertd has to know, but for the rules.
  var keptState: KeptState? { kept.map { KeptState(socket: $0.socket, secret: secret) } }

  /// Leaves what is about to be in force.
  ///
  /// - Parameter text: Of a ``KeptState``, nil if nothing is to stay.
  func keep(_ text: String?) throws(SystemError) {
    if let kept, let text { try kept.pins.keep(text, as: KeptHost.state) }
  }

  /// Leaves what divertd itself has counted, and what it has taken over from maps that were too small.
  func keepCounters() {
    guard let kept else { return }
    let text = engine.ruleSet.entries.map { KeptState.line($0.slot, engine.ruleCounters[$0.slot]) }.joined()
    // Where the kernel has no memory for that, these counts begin anew.
    try? kept.pins.keep(text, as: KeptHost.counters)
    try? maps.counters.pin(in: kept.pins)
  }

  /// What is left of counters is not right any more; at the end it is left anew.
  func forgetCounters() { kept?.pins.remove(KeptHost.counters) }

  /// Takes over what an earlier divertd has left: counts, sockets, ports with their links.
  func takeOver() throws(SystemError) {
    guard let kept else { return }
    if let rules = kept.earlier?.ruleSet {
      let slots = Set(rules.entries.map(\.slot))
      for (slot, counter) in KeptState.counters(kept.pins.text(KeptHost.counters) ?? "")
      where slots.contains(slot) {
        engine.ruleCounters[slot] = counter
      }
    }
    let table = try PacketSocketTable.read()
    let living = Set(table.entries.map(\.cookie))
    var bound = Set(hookCounts.takeOver())
    for (cookie, entry) in kept.ledger.entries where living.contains(cookie) {
      ports.restore(socket: cookie, HandedSocket(entry))
      guard entry.port != 0 else { continue }
      let name = HostLink.name(ofPort: entry.port)
      let link = try HostLink(LinkDevice(name, kept: kept), program: linkProgram, kept: kept)
      ports.hold(entry.port, link, cookie, before: entry.portCounts)
      hookCounts.set(port: entry.port, link: link.index, options: HookPortOptions(rawValue: entry.options))
      bound.remove(entry.port)
    }
    ports.restore(slotCount: hookCounts.usedSlots)
    for port in bound { hookCounts.set(port: port, link: 0, options: []) }
    for (cookie, _) in kept.ledger.entries where !living.contains(cookie) { kept.ledger.strike(cookie) }
    let own = try PacketSocket.cookie(upcallSocket)
    for (cookie, _) in maps.sockets.entries(of: UInt64.self)
    where cookie != own && ports.sockets[cookie] == nil { maps.sockets.delete(cookie) }
    // Links whose sockets are gone.
    for interface in try NetworkInterface.all() where interface.index != upcallLink.index {
      guard let port = HostLink.port(ofName: interface.name), ports.table[port] == nil else { continue }
      try? VethPair(existing: interface.name)?.delete()
    }
    try maps.keep(in: kept.pins)
  }

  /// Puts this divertd's hook on the links of an earlier one. Its maps have all that the hook looks for by now.
  func finishTakingOver() throws(SystemError) {
    guard kept != nil else { return }
    try upcallLink.replaceHook(with: linkProgram)
    for port in ports.table.ports { try ports.table[port]?.link.replaceHook(with: linkProgram) }
  }

  /// Writes down what has become of a socket.
  func write(_ cookie: UInt64) throws(SystemError) {
    guard let kept, let socket = ports.sockets[cookie] else { return }
    let port = ports.port(of: cookie)
    let before = port.flatMap { ports.table[$0]?.before } ?? PortCounts()
    try kept.ledger.write(SocketLedger.Entry(socket, port: port ?? 0, before: before), of: cookie)
  }
}

extension SocketLedger {
  /// Lets the hooks know the sockets that write, before the first frame of theirs meets this divertd's hook.
  func restore(to sockets: borrowing Map) throws(SystemError) {
    for (cookie, entry) in entries {
      try sockets.update(cookie, HookSocket(rights: .reinject, slot: entry.slot))
    }
  }
}

extension HandedSocket {
  fileprivate init(_ entry: SocketLedger.Entry) {
    self.init(slot: entry.slot, before: entry.socketCounts)
    options = HookPortOptions(rawValue: entry.options)
  }
}
