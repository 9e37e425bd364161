import BPF
import Firewall

/// Fragments whose datagram a rule might divert, or of this host's tell from its fragments, are judged in user space with
/// the rest of it; see ``FragmentGate``.
extension RuleHook {
  /// More rules than these are not asked one by one: any fragment goes up.
  private static var gateLimit: Int { 256 }

  mutating func fragmentGates(_ ruleSet: RuleSet, _ maps: borrowing HookMaps) {
    guard environment.waitsForFragments else { return }
    let (whole, up) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r1, from: .r7, Variable.isFragment)
    assembler.jump(if: .r1, .equal, 0, to: whole)
    if isOutgoing {
      let received = assembler.makeLabel()
      assembler.load(.word, .r1, from: .r7, Variable.receiveInterface)
      assembler.jump(if: .r1, .notEqual, 0, to: received)
      ask(.locallyMade(ruleSet), up: up, maps)
      assembler.jump(to: whole)
      assembler.place(received)
    }
    ask(.received(ruleSet), up: up, maps)
    assembler.jump(to: whole)

    assembler.place(up)
    goUpFromTheBeginning()
    assembler.place(whole)
  }

  private mutating func ask(_ gate: FragmentGate, up: Label, _ maps: borrowing HookMaps) {
    let rules = gate.rules.filter { rule in !rule.clauses.contains { isNever($0) } }
    guard rules.count <= Self.gateLimit, rules.allSatisfy({ slots($0.clauses) < 1000 }) else {
      return assembler.jump(to: up)
    }
    for rule in rules {
      let next = assembler.makeLabel()
      knownVersion = 0
      for clause in rule.clauses { require(clause, otherwise: next) }
      if case .divert(let port) = rule.action {
        // Where nobody listens, or fragments are wanted as they are, there is nothing to wait for.
        assembler.store(.word, value: UInt32(port), to: .r7, Variable.port)
        assembler.lookUp(maps.ports, key: Variable.port)
        assembler.jump64(if: .r0, .equal, 0, to: next)
        assembler.load(.word, .r1, from: .r0, HookPort.Offset.link)
        assembler.jump(if: .r1, .equal, 0, to: next)
        assembler.load(.word, .r1, from: .r0, HookPort.Offset.options)
        assembler.jump(if: .r1, .anyBitSet, HookPortOptions.fragments.rawValue, to: next)
      }
      assembler.jump(to: up)
      assembler.place(next)
    }
    knownVersion = 0
  }
}
