package import Firewall

extension DivertEngine: FirewallBackend {
  package mutating func replaceRules(with ruleSet: RuleSet) { replace(ruleSet) }

  package func counter(_ slot: Int) -> RuleCounters.Counter { ruleCounters[slot] }

  package mutating func clearCounter(_ slot: Int) { ruleCounters.clear(slot: slot) }
}
