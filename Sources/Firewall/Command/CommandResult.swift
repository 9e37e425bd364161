/// What a run of `ipfw` leaves behind.
package struct CommandResult: Equatable, Sendable {
  /// For stdout.
  package var output: String
  /// For stderr.
  package var errors: String
  /// The exit status, as sysexits(3).
  package var status: Int32

  package init(output: String = "", errors: String = "", status: Int32 = 0) {
    self.output = output
    self.errors = errors
    self.status = status
  }

  /// An error as errx(3) shows it.
  package init(_ error: RuleError, program: String = "ipfw") {
    self.init(errors: "\(program): \(error.text)\n", status: error.status.rawValue)
  }
}

/// Whoever holds the rules and their counters, for the commands to work on.
package protocol FirewallBackend {
  var ruleSet: RuleSet { get }
  /// Puts new rules in place of the old ones, whole or not at all. Counters stay with their slots.
  mutating func replaceRules(with ruleSet: RuleSet) throws(RuleError)
  func counter(_ slot: Int) -> RuleCounters.Counter
  mutating func clearCounter(_ slot: Int)
}

/// Rules that are in force nowhere: for `-n`, and to load files.
package struct DetachedRules: FirewallBackend {
  package private(set) var ruleSet: RuleSet

  package init(_ ruleSet: RuleSet) { self.ruleSet = ruleSet }
  package mutating func replaceRules(with ruleSet: RuleSet) { self.ruleSet = ruleSet }
  package func counter(_ slot: Int) -> RuleCounters.Counter { RuleCounters.Counter() }
  package mutating func clearCounter(_ slot: Int) {}
}
