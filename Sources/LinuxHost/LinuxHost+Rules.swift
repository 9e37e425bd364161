import BPF
import DivertEngine
package import Firewall
import Kernel
import RuleCompiler

/// What rules are made ready from: all that preparing them takes of the host, so that any thread can do it.
package struct RulePreparation: Sendable {
  package let ruleSet: RuleSet
  package let passingPorts: Set<UInt16>
  fileprivate let before: RuleSet
  fileprivate let view: HostView
  fileprivate let shapes: Set<HookShape>
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
  fileprivate let programs: [HookShape: RuleProgramsBox]
  /// Those of the host, or larger ones for more slots.
  fileprivate let counters: Map
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
      ruleSet: ruleSet, passingPorts: passingPorts ?? engine.passingPorts, before: engine.ruleSet,
      view: view, shapes: shapes, secret: secret,
      upcallInterface: upcallLink.index, maps: maps, kept: keptState)
  }

  /// The second step: all of it is in force when this returns true, nothing when it returns false or throws.
  ///
  /// - Returns: False if the interfaces have changed meanwhile: the rules are then to be prepared anew.
  package func commit(_ prepared: PreparedRules) throws(HostError) -> Bool {
    let ruleSet = prepared.rules.ruleSet
    guard prepared.rules.view == view, shapes.isSubset(of: prepared.programs.keys) else {
      return false
    }
    // First what can fail.
    let diverts = ruleSet.entries.contains { $0.rule.givesToPort }
    if diverts { try limitLoopback() }
    try system { () throws(SystemError) in try keep(prepared.keptText) }
    let hasMoreCounters = prepared.counters !== maps.counters
    moveCounters(to: prepared.counters)
    for slot in prepared.changedSlots { clearCounter(slot: slot) }
    for (index, hook) in hooks {
      guard let box = prepared.programs[hook.shape] else { continue }
      // A device that goes away takes its hooks along: that is not a failure to enforce.
      do throws(SystemError) {
        try hook.replace(with: box.programs, hook.shape)
      } catch {
        hooks[index] = nil
        hasLostHooks = true
      }
    }
    programs = prepared.programs
    programsAreStale = false
    engine.replace(prepared.rules)
    engine.passingPorts = prepared.passingPorts
    if hasMoreCounters { keepCounters() }
    if !diverts, let loopback { settings.restore(loopback.name) }
    return true
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

  private func moveCounters(to counters: Map) {
    guard counters !== maps.counters else { return }
    for entry in engine.ruleSet.entries { engine.ruleCounters[entry.slot] = counter(slot: entry.slot) }
    maps.counters = counters
  }
}

extension RulePreparation {
  /// - Throws: ``HostError`` if the kernel does not take the rules.
  package func prepare() throws(HostError) -> PreparedRules {
    var maps = maps
    let (needed, capacity) = (ruleSet.slotCount, maps.counters.capacity)
    if needed > capacity {
      maps.counters = try system { () throws(SystemError) in
        try Map("divert_counters", .perCPUArray, valueSize: 24, capacity: max(needed, capacity * 2))
      }
    }
    var programs: [HookShape: RuleProgramsBox] = [:]
    for shape in shapes {
      programs[shape] = RuleProgramsBox(
        try RulePrograms(
          ruleSet, host: view, shape: shape, secret: secret, upcallInterface: upcallInterface,
          passingPorts: passingPorts, maps: maps))
    }
    let old = Dictionary(before.entries.map { ($0.slot, $0.rule) }) { first, _ in first }
    let changed = ruleSet.entries.filter { old[$0.slot]?.inSet($0.rule.set) != $0.rule }.map(\.slot)
    // What no rule counts in can be cleared while the old rules are in force.
    for slot in changed where old[slot] == nil { try? maps.counters.clear(UInt32(slot)) }
    var state = kept
    state?.ruleSet = ruleSet
    state?.passingPorts = passingPorts
    return PreparedRules(
      rules: RulesForHost(ruleSet, view), passingPorts: passingPorts, programs: programs,
      counters: maps.counters, keptText: state?.text, changedSlots: changed)
  }
}
