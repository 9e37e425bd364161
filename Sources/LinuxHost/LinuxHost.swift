import BPF
package import DivertEngine
package import DivertWire
package import Firewall
import Glibc
package import Kernel
import Packets
package import RuleCompiler

/// The kernel of this network namespace as a host: its interfaces carry the hooks, its links the divert sockets.
///
/// All of it belongs to this process: when it ends, however it ends, hooks and links are gone. Of the settings it
/// changes it keeps a record (``Settings``). One thread uses it.
package final class LinuxHost {
  /// The rules in force, and the judge of what the hooks could not.
  package internal(set) var engine: DivertEngine
  package var maps: HookMaps
  let secret = UInt64.random(in: 1 ... .max)
  private var settings: Settings
  private let linkProgram: Program
  /// `divert0`: sockets without a port send here, and upcalls arrive here.
  let upcallLink: HostLink
  package let upcallSocket: Descriptor
  var upcallFrame = [UInt8](repeating: 0, count: 65_600)
  var ports = PortBindings()
  var hookCounts: HookCounts

  package private(set) var interfaces: [NetworkInterface] = []
  private var hooks: [UInt32: InterfaceHook] = [:]
  private var knownDevices: Set<UInt32> = []
  private var knownBroadcasts: [UInt32: UInt32] = [:]
  private var programs: [Int: RuleProgramsBox] = [:]

  private final class RuleProgramsBox {
    let programs: RulePrograms
    init(_ programs: consuming RulePrograms) { self.programs = programs }
  }

  /// - Parameters:
  ///   - ruleSet: In force as soon as this returns.
  ///   - passingPorts: See ``DivertEngine/DivertEngine/passingPorts``.
  ///   - settingsFile: Where changed settings are written down.
  package init(
    _ ruleSet: RuleSet, passingPorts: Set<UInt16> = [], settingsFile: String
  ) throws(HostError) {
    let settings = try system { () throws(SystemError) in try Settings(path: settingsFile) }
    let maps = try system { () throws(SystemError) in try HookMaps(ruleCapacity: max(1024, ruleSet.slotCount))
    }
    let device: TapDevice
    do throws(SystemError) {
      device = try TapDevice("divert0")
    } catch {
      guard error.code == EBUSY else { throw .system(error) }
      throw .system(
        SystemError(
          error.action, code: EBUSY, advice: "another divertd serves this network namespace; stop it first"))
    }
    let linkProgram = try Self.linkProgram(secret: secret, upcallInterface: device.index, maps)
    let link: HostLink
    do throws(SystemError) { link = try HostLink(device, program: linkProgram) } catch {
      throw .system(error)
    }
    let socket = try system { () throws(SystemError) in try Self.daemonSocket(on: link, maps) }
    let hookCounts = try system { () throws(SystemError) in try HookCounts(maps) }
    self.settings = settings
    self.maps = maps
    self.hookCounts = hookCounts
    self.linkProgram = linkProgram
    self.upcallLink = link
    self.upcallSocket = socket
    self.engine = DivertEngine(ruleSet: ruleSet, view: HostView())
    engine.passingPorts = passingPorts
    try system { () throws(SystemError) in
      // Without these a route look-up from the link's hook, which is one through lo, finds nothing.
      try self.settings.setSysctl("net/ipv4/conf/lo/forwarding", to: "1")
      try self.settings.setSysctl("net/ipv6/conf/lo/forwarding", to: "1")
    }
    try refreshInterfaces()
    try enforce(ruleSet)
  }

  deinit { settings.restoreAll() }

  private static func linkProgram(
    secret: UInt64, upcallInterface: UInt32, _ maps: borrowing HookMaps
  ) throws(HostError) -> Program {
    do {
      return try Program(
        "divert_link", LinkHook.compile(secret: secret, upcallInterface: upcallInterface, maps: maps))
    } catch let error as ProgramError {
      throw .program(error)
    } catch let error as AssemblerError {
      throw .assembler(error)
    } catch {
      throw .assembler(.unplacedLabel(slot: 0))
    }
  }

  /// The daemon's own socket on `divert0`, which may also deliver to clients and let judged packets pass.
  private static func daemonSocket(on link: HostLink, _ maps: borrowing HookMaps) throws(SystemError)
    -> Descriptor
  {
    let socket = try PacketSocket.open()
    let rights: SocketRights = [.reinject, .deliver]
    try maps.sockets.update(try PacketSocket.cookie(socket), HookSocket(rights: rights, slot: 0))
    try PacketSocket.setReceiveBuffer(socket, bytes: 8 << 20)
    // What divertd judges keeps its mark. Who made it, a kernel before Linux 6.12 cannot tell.
    try? PacketSocket.ask(for: .mark, on: socket)
    try? PacketSocket.ask(for: .owner, on: socket)
    try PacketSocket.bind(socket, to: link.index)
    return socket
  }

  /// Takes every change back: hooks and links go with this object, settings are restored.
  package func shutDown() {
    hooks = [:]
    settings.restoreAll()
  }

  // MARK: Rules

  /// Puts a rule set in force on all interfaces, or throws and leaves the old one.
  package func enforce(_ ruleSet: RuleSet) throws(HostError) {
    try enforce(ruleSet, passingPorts: engine.passingPorts)
  }

  /// Says what happens to packets that rules divert to a port while nobody has bound it, or throws and leaves all as
  /// it was.
  package func setPolicy(_ policy: UnboundPolicy, ofPort port: UInt16) throws(HostError) {
    try enforce(engine.ruleSet, passingPorts: engine.passingPorts(with: policy, ofPort: port))
  }

  private func enforce(_ ruleSet: RuleSet, passingPorts: Set<UInt16>) throws(HostError) {
    let grown = ruleSet.slotCount > maps.counters.capacity
    if grown { try system { () throws(SystemError) in try moveCounters(toHold: ruleSet.slotCount) } }
    var programs: [Int: RuleProgramsBox] = [:]
    for length in linkHeaderLengths {
      programs[length] = RuleProgramsBox(
        try RulePrograms(
          ruleSet, host: engine.view, linkHeaderLength: length, secret: secret,
          upcallInterface: upcallLink.index, passingPorts: passingPorts, maps: maps))
    }
    for (index, hook) in hooks {
      guard let box = programs[hook.hasLinkHeader ? 14 : 0] else { continue }
      // A device that goes away takes its hooks along: that is not a failure to enforce.
      do throws(SystemError) { try hook.replace(with: box.programs) } catch { hooks[index] = nil }
    }
    self.programs = programs
    let before = Dictionary(engine.ruleSet.entries.map { ($0.slot, $0.rule) }) { first, _ in first }
    for entry in ruleSet.entries where before[entry.slot]?.inSet(entry.rule.set) != entry.rule {
      clearCounter(slot: entry.slot)
    }
    engine.replace(ruleSet)
    engine.passingPorts = passingPorts
    try adjustLoopback()
  }

  private var linkHeaderLengths: Set<Int> {
    Set(hookedInterfaces.map { $0.hasLinkHeader ? 14 : 0 })
  }

  /// A frame of a socket may have 65 535 bytes, and lo's packets with an Ethernet header have up to 65 550: while
  /// packets may be diverted, lo's are kept as large as a link takes.
  private func adjustLoopback() throws(HostError) {
    let diverts = engine.ruleSet.entries.contains { $0.rule.givesToPort }
    guard let loopback = interfaces.first(where: \.isLoopback) else { return }
    if diverts, loopback.mtu > UInt32(TapDevice.maximumMTU) {
      try system { () throws(SystemError) in
        try settings.setMTU(of: loopback.name, to: UInt32(TapDevice.maximumMTU))
      }
    } else if !diverts {
      settings.restore(loopback.name)
    }
  }

  private func moveCounters(toHold count: Int) throws(SystemError) {
    let old = maps.counters.capacity
    let larger = try Map("divert_counters", .perCPUArray, valueSize: 24, capacity: max(count, old * 2))
    for entry in engine.ruleSet.entries { engine.ruleCounters[entry.slot] = counter(slot: entry.slot) }
    maps.counters = larger
  }

  // MARK: Interfaces

  private var hookedInterfaces: [NetworkInterface] {
    let bridged = Set(interfaces.filter { ["bridge", "bond", "team"].contains($0.kind) }.map(\.index))
    // A member's packets are judged on its master, which is the interface of the IP traffic.
    return interfaces.filter { !isLink($0.index) && !bridged.contains($0.master) }
  }

  private func isLink(_ index: UInt32) -> Bool {
    index == upcallLink.index || ports.links.contains(index)
  }

  /// Follows what rtnetlink says: new interfaces get their hooks, and rules that speak of interfaces are translated
  /// anew.
  package func refreshInterfaces() throws(HostError) {
    let found = try system { () throws(SystemError) in try NetworkInterface.all() }
    guard found != interfaces else { return }
    interfaces = found
    let hooked = hookedInterfaces
    let view = HostView(
      interfaces: hooked.map { interface in
        HostView.Interface(
          index: interface.index, name: interface.name,
          addresses4: interface.addresses4.map { IPv4Address(rawValue: $0) },
          addresses6: interface.addresses6.map { IPv6Address(high: $0.high, low: $0.low) })
      })
    try system { () throws(SystemError) in try updateMaps(from: engine.view, to: view, hooked) }
    let changed = view != engine.view
    engine.replace(view)

    let indexes = Set(hooked.map(\.index))
    for index in hooks.keys where !indexes.contains(index) { hooks[index] = nil }
    let needed = linkHeaderLengths
    if !programs.isEmpty, !needed.isSubset(of: programs.keys) || changed && engine.ruleSet.mentionsInterfaces
    {
      try enforce(engine.ruleSet)
    } else if programs.isEmpty {
      for length in needed {
        programs[length] = RuleProgramsBox(
          try RulePrograms(
            engine.ruleSet, host: engine.view, linkHeaderLength: length, secret: secret,
            upcallInterface: upcallLink.index, passingPorts: engine.passingPorts, maps: maps))
      }
    }
    for interface in hooked where hooks[interface.index] == nil {
      guard let box = programs[interface.hasLinkHeader ? 14 : 0] else { continue }
      do throws(SystemError) {
        hooks[interface.index] = try InterfaceHook(interface, box.programs)
      } catch {
        // Gone again already.
        if error.code != ENODEV { throw .system(error) }
      }
    }
  }

  private func updateMaps(
    from old: HostView, to new: HostView, _ hooked: [NetworkInterface]
  ) throws(SystemError) {
    let broadcasts = hooked.reduce(into: [UInt32.max: 0]) { known, interface in
      known.merge(interface.broadcasts4.map { ($0, interface.index) }) { first, _ in first }
    }
    let (old4, new4) = (Set(old.interfaces.flatMap(\.addresses4)), Set(new.interfaces.flatMap(\.addresses4)))
    for address in new4.subtracting(old4) { try maps.local4.update(address.rawValue.bigEndian, UInt8(1)) }
    for address in old4.subtracting(new4) { maps.local4.delete(address.rawValue.bigEndian) }
    let (old6, new6) = (Set(old.interfaces.flatMap(\.addresses6)), Set(new.interfaces.flatMap(\.addresses6)))
    for address in new6.subtracting(old6) { try maps.local6.update(address.networkBytes, UInt8(1)) }
    for address in old6.subtracting(new6) { maps.local6.delete(address.networkBytes) }

    for (address, index) in broadcasts where knownBroadcasts[address] != index {
      try maps.broadcast4.update(address.bigEndian, index)
    }
    for address in knownBroadcasts.keys where broadcasts[address] == nil {
      maps.broadcast4.delete(address.bigEndian)
    }
    knownBroadcasts = broadcasts

    for interface in hooked {
      let address = interface.linkAddress
      let device = HookInterface(
        address: (address[0], address[1], address[2], address[3], address[4], address[5]),
        mtu: interface.mtu, isLoopback: interface.isLoopback)
      try maps.interfaces.update(interface.index, device)
    }
    let devices = Set(hooked.map(\.index))
    for index in knownDevices.subtracting(devices) { maps.interfaces.delete(index) }
    knownDevices = devices
  }

  // MARK: Sockets

  /// A divert socket without a port, which can already send (on `divert0`).
  package func openSocket() throws(SystemError) -> (descriptor: CInt, link: UInt32) {
    let socket = try PacketSocket.open()
    let cookie = try PacketSocket.cookie(socket)
    try PacketSocket.setReceiveBuffer(socket, bytes: 8 << 20)
    // Bound to the device, but to no protocol: it sends there, and receives nothing.
    try PacketSocket.bind(socket, to: upcallLink.index, receiving: false)
    let slot = try ports.add(socket: cookie) { hookCounts[slot: $0] }
    try maps.sockets.update(cookie, HookSocket(rights: .reinject, slot: slot))
    return (socket.release(), upcallLink.index)
  }

  /// Puts a socket on the link of a port; port 0 takes any free one.
  ///
  /// - Throws: `EINVAL` for a socket that is bound already or is none of ours, `EADDRINUSE` when a living socket
  ///   has the port.
  package func bind(
    _ socket: borrowing Descriptor, port wanted: UInt16
  ) throws(SystemError) -> (port: UInt16, link: UInt32) {
    let cookie = try PacketSocket.cookie(socket)
    let action = "bind divert port \(wanted)"
    guard ports.sockets[cookie] != nil else {
      throw SystemError(action, code: EINVAL, advice: "the socket is not one that divertd opened")
    }
    guard ports.port(of: cookie) == nil else {
      throw SystemError(action, code: EINVAL, advice: "the socket is bound already; open another one")
    }
    if ports.table[wanted] != nil { releaseDeadSockets() }
    let port: UInt16
    do throws(PortRefusal) {
      port = try ports.table.choose(wanted)
    } catch {
      throw SystemError(
        action, code: error.code, advice: "another program has bound it; end that one, or take another port")
    }
    let link = try HostLink(TapDevice(HostLink.name(ofPort: port)), program: linkProgram)
    try PacketSocket.bind(socket, to: link.index)
    ports.hold(port, link, cookie, before: hookCounts[port])
    tellHooks(port)
    return (port, link.index)
  }

  /// What the hooks count for a socket: its slot, and the memory, to be read only.
  ///
  /// - Throws: `EINVAL` for a socket that is none of ours.
  package func counts(
    of socket: borrowing Descriptor
  ) throws(SystemError) -> (slot: UInt32, descriptor: CInt) {
    guard let slot = ports.sockets[try PacketSocket.cookie(socket)]?.slot else {
      throw SystemError(
        "count a socket's packets", code: EINVAL, advice: "the socket is not one that divertd opened")
    }
    return (slot, try maps.socketCounts.descriptor.duplicate().release())
  }

  /// Whether there are sockets whose end nobody tells us.
  package var hasSockets: Bool { !ports.sockets.isEmpty }

  /// Frees the ports whose sockets are gone. Nobody tells when the last copy of a descriptor is closed, so the kernel
  /// is asked which sockets there are.
  package func releaseDeadSockets() {
    if hasSockets, let table = try? PacketSocketTable.read() { releaseSockets(gone: table) }
  }

  /// - Parameter table: The sockets there are.
  func releaseSockets(gone table: PacketSocketTable) {
    ports.look(at: table.entries)
    let living = Set(table.entries.map(\.cookie))
    for cookie in ports.sockets.keys where !living.contains(cookie) {
      maps.sockets.delete(cookie)
      ports.forget(socket: cookie)
    }
    for port in ports.table.ports {
      guard let holder = ports.table[port], !living.contains(holder.cookie) else { continue }
      hookCounts.set(port: port, link: 0, options: [])
      ports.release(port)
    }
  }

  var upcallInterface: UInt32 { upcallLink.index }

  /// The link of a bound port.
  func link(ofPort port: UInt16) -> UInt32? { ports.table[port]?.link.index }

  func wantsWholePackets(port: UInt16) -> Bool {
    ports.table[port].map { !$0.options.contains(.fragments) } ?? false
  }

  func wantsOwner(port: UInt16) -> Bool { ports.table[port]?.options.contains(.owner) ?? false }

  /// Says what the socket wants, whether it has a port by now or not.
  ///
  /// - Throws: `EINVAL` for a socket that is none of ours, `ENOPROTOOPT` for what this kernel cannot tell.
  package func setOptions(
    _ options: SocketOptions, of socket: borrowing Descriptor
  ) throws(SystemError) {
    let notes: [(SocketOptions, SocketNotes)] = [(.time, .time), (.mark, .mark), (.owner, .owner)]
    let wanted = SocketNotes(notes.compactMap { options.contains($0.0) ? $0.1 : nil })
    let options = HookPortOptions(rawValue: options.rawValue)
    let cookie = try PacketSocket.cookie(socket)
    guard ports.sockets[cookie] != nil else {
      throw SystemError(
        "set a divert socket's options", code: EINVAL, advice: "the socket is not one that divertd opened")
    }
    try PacketSocket.ask(for: wanted, on: socket)
    ports.setOptions(options, of: cookie)
    if let port = ports.port(of: cookie) { tellHooks(port) }
  }

  private func tellHooks(_ port: UInt16) {
    guard let holder = ports.table[port] else { return }
    hookCounts.set(port: port, link: holder.link.index, options: holder.options)
  }

  // MARK: Counters

  package func counter(slot: Int) -> RuleCounters.Counter {
    var sum = engine.ruleCounters[slot]
    guard slot < maps.counters.capacity else { return sum }
    let offset = KernelClock.realTime.now &- KernelClock.monotonicCoarse.now
    for words in maps.counters.words(at: UInt32(slot)) {
      sum.packets += words[0]
      sum.bytes += words[1]
      if words[2] != 0 { sum.lastMatch = max(sum.lastMatch, words[2] &+ offset) }
    }
    return sum
  }

  package func clearCounter(slot: Int) {
    engine.ruleCounters.clear(slot: slot)
    if slot < maps.counters.capacity { try? maps.counters.clear(UInt32(slot)) }
  }

  package func count(of event: HookEvent) -> UInt64 {
    maps.events.words(at: event.rawValue).reduce(0) { $0 + $1[0] }
  }
}

extension RuleSet {
  /// Whether a change of interfaces may change what the rules' programs are.
  fileprivate var mentionsInterfaces: Bool {
    entries.contains { entry in
      entry.rule.clauses.contains { clause in
        clause.terms.contains { term in
          switch term.test {
          case .received, .transmitted, .via: true
          default: false
          }
        }
      }
    }
  }
}

extension IPv6Address {
  fileprivate var networkBytes: InlineArray<2, UInt64> { [high.bigEndian, low.bigEndian] }
}
