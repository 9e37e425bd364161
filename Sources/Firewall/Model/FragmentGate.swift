package import Packets

/// Which fragments have to wait for the rest of their datagram.
///
/// divert(4): "the diversion of any one fragment causes the entire packet to get diverted", and only one fragment has
/// the ports that a rule may ask for. So a fragment waits wherever a rule *might* divert its datagram; a gate tells by
/// the rules that matter, without what they ask of single fragments.
package struct FragmentGate: Sendable {
  /// The rules in question, of disabled sets, too, each with what all fragments of a datagram have in common; `allow`
  /// stands for any action but divert.
  package let rules: [Rule]

  /// For received packets, in either pass: rules that divert. BSD judges their fragments one by one.
  package static func received(_ ruleSet: RuleSet) -> FragmentGate {
    FragmentGate(rules: ruleSet.entries.map(\.rule).filter(\.diverts).map(\.withoutFragmentTests))
  }

  /// For packets of this host, which BSD judges before it cuts them, the kernel here after: all rules that would notice.
  package static func locallyMade(_ ruleSet: RuleSet) -> FragmentGate {
    FragmentGate(
      rules: ruleSet.entries.map(\.rule).filter {
        $0.givesToPort || $0.clauses.contains(where: \.asksFragment)
      }
      .map { rule in
        var rule = rule.withoutFragmentTests
        rule.action = .allow
        return rule
      })
  }

  package init(rules: [Rule]) { self.rules = rules }

  package var isEmpty: Bool { rules.isEmpty }

  /// As a rule set for a section of a ``RuleImage``: what it denies need not wait.
  package var ruleSet: RuleSet {
    var set = RuleSet(default: .deny)
    set.entries = rules.map { RuleSet.Entry(rule: $0, slot: 0) } + set.entries
    return set
  }
}

extension Rule {
  fileprivate var diverts: Bool {
    if case .divert = action { true } else { false }
  }

  /// Whether packets that match go to a divert port, or copies of them.
  package var givesToPort: Bool {
    action.port != nil
  }

  fileprivate var withoutFragmentTests: Rule {
    var rule = self
    rule.clauses.removeAll(where: \.asksFragment)
    rule.probability = nil
    return rule
  }
}

extension Clause {
  /// Whether fragments of one datagram may answer differently.
  fileprivate var asksFragment: Bool {
    terms.contains { $0.test.option.dependsOnFragments }
  }
}

extension PacketFields {
  package var isFragment: Bool { moreFragments || fragmentOffset != 0 }
}
