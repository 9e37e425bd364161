import BPF
package import DivertEngine
import DivertWire
package import Firewall
import Glibc
package import Kernel
package import RuleCompiler

/// The kernel of this network namespace as a host: its interfaces carry the hooks, its links the divert sockets.
///
/// All of it belongs to this process: when it ends, however it ends, hooks and links are gone, unless they are to stay
/// (``KeptHost``). Of the settings it changes it keeps a record (``Settings``). One thread uses it.
package final class LinuxHost {
  /// The rules in force, and the judge of what the hooks could not.
  package internal(set) var engine: DivertEngine
  package var maps: HookMaps
  let secret: UInt64
  let kept: KeptHost?
  let settings: Settings
  let linkProgram: Program
  /// `divert0`: sockets without a port send here, and upcalls arrive here.
  let upcallLink: HostLink
  package let upcallSocket: Descriptor
  var upcallFrame = [UInt8](repeating: 0, count: 65_600)
  var ports = PortBindings()
  var hookCounts: HookCounts
  let paths: PathReader
  /// Dropped, since it could not be known any more by which interface they were to leave.
  var unplacedUpcalls: UInt64 = 0

  package internal(set) var interfaces: [NetworkInterface] = []
  /// What the rules know of them. The engine learns it when it has something to judge (``prepareEngine()``): with many rules
  /// that takes longer than a new interface may be without hooks.
  var view = HostView()
  var hooks: [UInt32: InterfaceHook] = [:]
  /// Where rules should be in force and are not, by index.
  var withoutRules: [UInt32: InterfaceWithoutRules] = [:]
  /// What has been logged of these.
  var reported: [UInt32: String] = [:]
  /// Why the interfaces could not be followed.
  var interfaceFailure: String?
  /// Whether hooks went while rules were put in force.
  var hasLostHooks = false
  /// Whether ``programs`` were made for interfaces that have changed meanwhile.
  var programsAreStale = false
  let interfaceQueries: NetlinkSocket
  let routeQueries: NetlinkSocket
  var knownDevices: Set<UInt32> = []
  var knownReturning: Set<UInt32> = []
  var knownChildren: Set<UInt64> = []
  var knownBroadcasts: [UInt32: UInt32] = [:]
  var knownLocalRoutes: Set<LocalRoute> = []
  /// What the hooks of the present interfaces have to be like.
  var shapes: Set<HookShape> = []
  var programs: [HookShape: RuleProgramsBox] = [:]
  /// Programs that have all rules judged in user space, for interfaces that the rules in force were not prepared for.
  var upwardPrograms: [HookShape: RuleProgramsBox] = [:]
  /// The interfaces whose hooks have these.
  var judgedAbove: Set<UInt32> = []
  /// The rules in force, as the hooks have them.
  var image: LoadedImage?

  /// - Parameters:
  ///   - ruleSet: In force as soon as this returns.
  ///   - passingPorts: See ``DivertEngine/DivertEngine/passingPorts``.
  ///   - settingsFile: Where changed settings are written down.
  ///   - kept: What is to stay in force without this process, and what an earlier one has left: until `ruleSet` is in
  ///     force, the rules of that one are, and when this throws, they stay so.
  package init(
    _ ruleSet: RuleSet, passingPorts: Set<UInt16> = [], settingsFile: String, kept: KeptHost? = nil
  ) throws(HostError) {
    let earlier = kept?.earlier
    let first = earlier?.ruleSet ?? ruleSet
    let secret = earlier?.secret ?? UInt64.random(in: 1 ... .max)
    let settings = try system { () throws(SystemError) in
      try Settings(path: settingsFile, keepsChanges: earlier != nil)
    }
    let maps = try system { () throws(SystemError) in
      try HookMaps(ruleCapacity: max(HookMaps.usualRules, first.slotCount), keptIn: kept?.pins)
    }
    let device: LinkDevice
    do throws(SystemError) {
      device = try LinkDevice("divert0", kept: kept)
    } catch {
      guard error.code == EBUSY || error.code == EEXIST else { throw .system(error) }
      throw .system(
        SystemError(
          error.action, code: EBUSY,
          advice: "another divertd serves this network namespace; stop it first, or end what it has left, "
            + "with `divertd --stop`"))
    }
    try system { () throws(SystemError) in try kept?.ledger.restore(to: maps.sockets) }
    let linkProgram = try Self.linkProgram(secret: secret, upcallInterface: device.index, maps)
    let link: HostLink
    do throws(SystemError) { link = try HostLink(device, program: linkProgram, kept: kept) } catch {
      throw .system(error)
    }
    let socket = try system { () throws(SystemError) in try Self.daemonSocket(on: link, maps) }
    let hookCounts = try system { () throws(SystemError) in try HookCounts(maps) }
    let interfaceQueries = try system { () throws(SystemError) in try NetlinkSocket(protocolNumber: 0) }
    self.interfaceQueries = interfaceQueries
    let routeQueries = try system { () throws(SystemError) in try NetlinkSocket(protocolNumber: 0) }
    routeQueries.askForFilteredDumps()
    self.routeQueries = routeQueries
    let paths = try system { () throws(SystemError) in try PathReader(maps) }
    self.settings = settings
    self.maps = maps
    self.hookCounts = hookCounts
    self.paths = paths
    self.linkProgram = linkProgram
    self.upcallLink = link
    self.upcallSocket = socket
    self.secret = secret
    self.kept = kept
    self.engine = DivertEngine(ruleSet: first, view: HostView())
    engine.passingPorts = earlier?.passingPorts ?? passingPorts
    self.hookCounts.setPassing(engine.passingPorts)
    try system { () throws(SystemError) in try takeOver() }
    try system { () throws(SystemError) in
      // Without these a route look-up from the link's hook, which is one through lo, finds nothing.
      try self.settings.setSysctl("net/ipv4/conf/lo/forwarding", to: "1")
      try self.settings.setSysctl("net/ipv6/conf/lo/forwarding", to: "1")
    }
    // Written down before anything is attached: what stays has a secret that the next divertd has to know.
    if earlier == nil, var state = keptState {
      (state.ruleSet, state.passingPorts) = (ruleSet, passingPorts)
      try system { () throws(SystemError) in try keep(state.text) }
    }
    try refreshInterfaces()
    if let error = withoutRules.values.lazy.compactMap(\.error).first { throw error }
    try system { () throws(SystemError) in try finishTakingOver() }
    if earlier != nil { try enforce(ruleSet, passingPorts: passingPorts) }
    kept?.begin()
  }

  deinit {
    hooks = [:]
    if kept?.stays == true { settings.leave() } else { settings.end() }
  }

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
    // What divertd judges keeps its mark. Who made it, a kernel before Linux 6.14 cannot tell.
    try? PacketSocket.ask(for: .mark, on: socket)
    try? PacketSocket.ask(for: .owner, on: socket)
    try PacketSocket.bind(socket, to: link.index)
    return socket
  }

  /// Takes every change back: hooks and links go with this object, settings are restored.
  package func shutDown() {
    hooks = [:]
    kept?.removeAll()
    settings.end()
  }

  // MARK: Counters

  package func counter(slot: Int) -> RuleCounters.Counter { counterReader.counter(slot: slot) }

  /// Reads the counters of the rules in force, on any thread.
  package var counterReader: RuleCounterReader {
    RuleCounterReader(own: engine.ruleCounters, hooks: maps.counters)
  }

  package func clearCounter(slot: Int) {
    forgetCounters()
    engine.ruleCounters.clear(slot: slot)
    if slot < maps.counters.capacity { try? maps.counters.clear(UInt32(slot)) }
  }

  package func count(of event: HookEvent) -> UInt64 {
    maps.events.words(at: event.rawValue).reduce(0) { $0 + $1[0] }
  }
}

/// Counters of rules: what the hooks count, by rule slot, and what was judged in user space.
package struct RuleCounterReader: Sendable {
  fileprivate let own: RuleCounters
  fileprivate let hooks: Map

  package func counter(slot: Int) -> RuleCounters.Counter {
    var sum = own[slot]
    guard slot < hooks.capacity else { return sum }
    let offset = KernelClock.realTime.now &- KernelClock.monotonicCoarse.now
    for words in hooks.words(at: UInt32(slot)) {
      sum.packets += words[0]
      sum.bytes += words[1]
      if words[2] != 0 { sum.lastMatch = max(sum.lastMatch, words[2] &+ offset) }
    }
    return sum
  }
}
