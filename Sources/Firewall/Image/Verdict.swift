/// What the rules say about a packet in a pass.
package struct Verdict: Equatable, Sendable {
  package enum Decision: Equatable, Sendable {
    case allow, deny
    case divert(port: UInt16)
    /// A copy goes to the port; the packet itself goes on at ``Verdict/next``.
    case tee(port: UInt16)
  }

  package let decision: Decision
  /// The rule that decided: the tag of a diverted packet.
  package let ruleNumber: UInt16
  /// The index of the very next entry, rules of the same number included.
  package let next: Int

  package init(decision: Decision, ruleNumber: UInt16, next: Int) {
    self.decision = decision
    self.ruleNumber = ruleNumber
    self.next = next
  }
}
