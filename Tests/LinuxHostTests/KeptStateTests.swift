import Firewall
import LinuxHost
import TestSupport
import Testing

/// What one divertd writes down for the next.
struct KeptStateTests {
  @Test func `rules of every kind read back in their slots`() throws {
    var rules = RuleSet(default: .deny)
    for row in RuleListing.all { try rules.add(Rule(row.typed, names: .builtIn)) }
    // Freed slots are used anew, out of the order of the rules.
    rules.delete(300...900)
    for row in RuleListing.all.prefix(9) { try rules.add(Rule("7 \(row.typed)", names: .builtIn)) }
    rules.setSets(enabled: 0, disabled: 0b1010)
    var state = KeptState(socket: "/run/a b.sock", secret: .max)
    (state.ruleSet, state.passingPorts) = (rules, [1, 65535])
    let read = try #require(KeptState(text: state.text))
    let (kept, were) = (try #require(read.ruleSet).entries, rules.entries)
    for (entry, was) in zip(kept, were) where entry != was { Issue.record("\(was) became \(entry)") }
    let isSame = read == state
    #expect(isSame)
    // The next rule gets the slot that it would have got.
    var (next, expected) = (try #require(read.ruleSet), rules)
    let rule = try Rule("allow ip from any to any", names: .builtIn)
    try next.add(rule)
    try expected.add(rule)
    let isLike = next == expected
    #expect(isLike)
  }

  @Test func `a comment with a newline is one line`() throws {
    var rule = try Rule("allow ip from any to any // a", names: .builtIn)
    rule.comment = "a\nsecret 7"
    var state = KeptState(socket: "/run/d", secret: 1)
    state.ruleSet = try RuleSet(default: .allow).adding(rule).ruleSet
    let read = try #require(KeptState(text: state.text))
    #expect(read.secret == 1 && read.ruleSet?.entries.first?.rule.comment == "a secret 7")
  }

  @Test(arguments: [
    "rule 0 65535 set 31 allow ip from any to any\n", "socket /run/d\n", "secret 1\n",
    "socket /run/d\nsecret -1\n", "",
  ]) func `what tells no socket or no secret is nothing`(_ text: String) {
    #expect(KeptState(text: text) == nil)
  }

  @Test(arguments: [
    "", "rule 0 65535 set 31 alow ip from any to any\n", "rule 1 100 set 0 allow ip from any to any\n",
    "rule 1 65535 set 31 allow ip from any to any\n", "rule x\n",
    "rule -1 65535 set 31 allow ip from any to any\n",
    "rule 1 200 set 0 deny in\nrule 2 100 set 0 deny in\nrule 0 65535 set 31 allow ip from any to any\n",
    "rule 1 100 set 0 deny in\nrule 1 200 set 0 deny in\nrule 0 65535 set 31 allow ip from any to any\n",
    "rule 99999999999 100 set 0 deny in\nrule 0 65535 set 31 allow ip from any to any\n",
  ]) func `rules that are none are not taken over`(_ text: String) throws {
    let state = try #require(KeptState(text: "socket /run/d\nsecret 1\nlater 1 2 3\n" + text))
    #expect(state.ruleSet == nil)
    #expect(throws: (any Error).self) { try state.rules(default: .deny) }
  }

  @Test func `the default rule may be given anew`() throws {
    var state = KeptState(socket: "/run/d", secret: 1)
    state.ruleSet = RuleSet(default: .allow)
    #expect(try state.rules(default: nil) == RuleSet(default: .allow))
    #expect(try state.rules(default: .deny) == RuleSet(default: .deny))
  }
}
