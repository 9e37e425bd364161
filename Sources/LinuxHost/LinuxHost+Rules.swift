import BPF
import DivertEngine
package import Firewall
import Kernel
import RuleCompiler

/// What rules are made ready from: all that preparing them takes of the host, so that any thread can do it.
package struct RulePreparation: Sendable {
  package let ruleSet: RuleSet
  package let passingPorts: Set<UInt16>
  fileprivate let before: RulesForHost
  fileprivate let view: HostView
  fileprivate let shapes: Set<HookShape>
  /// Of these, the ones that there are no programs for yet.
  fileprivate let newShapes: Set<HookShape>
  fileprivate let secret: UInt64
  fileprivate let upcallInterface: UInt32
  fileprivate let maps: HookMaps
  /// What the next divertd has to know beside the rules, if these are to stay without this one.
  fileprivate let kept: KeptState?
}

/// Rules that the kernel has accepted and that are in force nowhere yet.
package struct PreparedRules: Sendable {
  fileprivate let rules: RulesForHost
  fileprivate let passingPorts: Set<UInt16>
  fileprivate let image: LoadedImage
  /// For new shapes of interfaces; for all, where the maps are not those of the host any more.
  fileprivate let programs: [HookShape: RuleProgramsBox]
  fileprivate let hasNewMaps: Bool
  /// Those of the host, or larger ones for more slots or a larger image.
  fileprivate let maps: HookMaps
  /// Of ``KeptState``.
  fileprivate let keptText: String?
  /// Slots that another rule had before.
  package let changedSlots: [Int]
}

/// Programs have one owner, who is shared.
final class RuleProgramsBox: Sendable {
  let programs: RulePrograms
  init(_ programs: consuming RulePrograms) { self.programs = programs }
}

/// Rules are put in force in two steps. Preparing them may take long (100 000 rules) and needs nothing of the host but
/// what ``RulePreparation`` has; committing them is quick, and the host's thread does it.
extension LinuxHost {
  /// Puts a rule set in force on all interfaces, or throws and leaves the old one.
  ///
  /// - Parameter passingPorts: If nil, they stay as they are.
  /// - Returns: The slots whose counters began anew.
  @discardableResult
  package func enforce(
    _ ruleSet: RuleSet, passingPorts: Set<UInt16>? = nil
  ) throws(HostError) -> [Int] {
    let prepared = try preparation(of: ruleSet, passingPorts: passingPorts).prepare()
    _ = try commit(prepared)
    return prepared.changedSlots
  }

  /// Begins the first step.
  ///
  /// - Parameter passingPorts: If nil, they stay as they are.
  package func preparation(
    of ruleSet: RuleSet, passingPorts: Set<UInt16>? = nil
  ) -> RulePreparation {
    RulePreparation(
      ruleSet: ruleSet, passingPorts: passingPorts ?? engine.passingPorts, before: engine.rules,
      view: view, shapes: shapes, newShapes: shapes.subtracting(programs.keys), secret: secret,
      upcallInterface: upcallLink.index, maps: maps, kept: keptState)
  }

  /// The second step: all of it is in force when this returns true, nothing when it returns false or throws.
  ///
  /// - Returns: False if the interfaces have changed meanwhile: the rules are then to be prepared anew.
  package func commit(_ prepared: PreparedRules) throws(HostError) -> Bool {
    let ruleSet = prepared.rules.ruleSet
    let known = prepared.hasNewMaps ? [] : Set(programs.keys)
    guard prepared.rules.view == view, shapes.isSubset(of: known.union(prepared.programs.keys)) else {
      return false
    }
    // First what can fail.
    let diverts = ruleSet.entries.contains { $0.rule.givesToPort }
    if diverts { try limitLoopback() }
    try system { () throws(SystemError) in try keep(prepared.keptText) }
    if prepared.hasNewMaps { try replacePrograms(with: prepared.programs, prepared.maps) }
    programs.merge(prepared.programs) { _, new in new }
    for slot in prepared.changedSlots { clearCounter(slot: slot) }
    try system { () throws(SystemError) in try prepared.image.enforce(maps) }
    image = prepared.image
    hookCounts.setPassing(prepared.passingPorts)
    programsAreStale = false
    engine.replace(prepared.rules)
    engine.passingPorts = prepared.passingPorts
    for index in judgedAbove { replaceProgram(of: index) }
    judgedAbove = []
    if prepared.hasNewMaps { keepCounters() }
    if !diverts, let loopback { settings.restore(loopback.name) }
    return true
  }

  /// Other programs with other maps, by which the rules in force are the same as before.
  private func replacePrograms(
    with programs: [HookShape: RuleProgramsBox], _ maps: HookMaps
  ) throws(HostError) {
    if image != nil {
      do throws(SystemError) {
        let image = try LoadedImage(engine.rules.image, size: maps.imageSize)
        try image.enforce(maps)
        self.image = image
      } catch {
        throw .system(error)
      }
    }
    self.programs = programs
    upwardPrograms = [:]
    for index in hooks.keys where !judgedAbove.contains(index) { replaceProgram(of: index) }
    // What is still being judged counts in the old maps.
    try system { () throws(SystemError) in try PacketSocket.waitForPacketsUnderWay() }
    if maps.counters !== self.maps.counters {
      for entry in engine.ruleSet.entries { engine.ruleCounters[entry.slot] = counter(slot: entry.slot) }
    }
    self.maps = maps
  }

  private func replaceProgram(of index: UInt32) {
    guard let hook = hooks[index], let box = programs[hook.shape] else { return }
    // A device that goes away takes its hooks along: that is not a failure to enforce.
    do throws(SystemError) {
      try hook.replace(with: box.programs, hook.shape)
    } catch {
      hooks[index] = nil
      hasLostHooks = true
    }
  }

  private var loopback: NetworkInterface? { interfaces.first(where: \.isLoopback) }

  /// A frame of a socket may have 65 535 bytes, and lo's packets with an Ethernet header have up to 65 550: while
  /// packets may be diverted, lo's are kept as large as a link takes.
  private func limitLoopback() throws(HostError) {
    guard let loopback, loopback.mtu > UInt32(TapDevice.maximumMTU) else { return }
    try system { () throws(SystemError) in
      try settings.setMTU(of: loopback.name, to: UInt32(TapDevice.maximumMTU))
    }
  }
}

extension RulePreparation {
  /// - Throws: ``HostError`` if the kernel does not take the rules.
  package func prepare() throws(HostError) -> PreparedRules {
    let rules = RulesForHost(ruleSet, view, after: before)
    var maps = maps
    let image: LoadedImage
    let (needed, capacity) = (ruleSet.slotCount, maps.counters.capacity)
    let hasNewMaps: Bool
    do throws(SystemError) {
      let size = try ImageSize(holding: rules.image, atLeast: maps.imageSize)
      hasNewMaps = needed > capacity || size > maps.imageSize
      if needed > capacity {
        maps.counters = try Map(
          "divert_counters", .perCPUArray, valueSize: 24, capacity: max(needed, capacity * 2))
      }
      // The old programs go on with the image that they have until all are replaced.
      if hasNewMaps { (maps.images, maps.imageSize) = (try size.makeMap(), size) }
      image = try LoadedImage(rules.image, size: size)
    } catch {
      throw .system(error)
    }
    var programs: [HookShape: RuleProgramsBox] = [:]
    for shape in hasNewMaps ? shapes : newShapes {
      programs[shape] = RuleProgramsBox(
        try RulePrograms(shape: shape, secret: secret, upcallInterface: upcallInterface, maps: maps))
    }
    let changed = ruleSet.newSlots(since: before.ruleSet)
    let taken = Set(before.ruleSet.entries.map(\.slot))
    // What no rule counts in can be cleared while the old rules are in force.
    for slot in changed where !taken.contains(slot) { try? maps.counters.clear(UInt32(slot)) }
    var state = kept
    state?.ruleSet = ruleSet
    state?.passingPorts = passingPorts
    return PreparedRules(
      rules: rules, passingPorts: passingPorts, image: image, programs: programs, hasNewMaps: hasNewMaps,
      maps: maps, keptText: state?.text, changedSlots: changed)
  }
}
