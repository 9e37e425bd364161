/// Reads a rule, word by word, in the order of ipfw2.c's `compile_rule`, so that the same mistake gives the
/// same message.
///
/// ```
/// [N] ACTION [ARGUMENT] [PROTO from ADDRESS [PORTS] to ADDRESS [PORTS]] [OPTION…] [// comment]
/// PROTO, ADDRESS, OPTION := [not] x | { [not] x or [not] y … }
/// ```
package struct RuleParser {
  let names: Names
  var words: [String]
  /// Of the next word.
  var position = 0
  /// Of the word that was looked at last: after an error, the one that is wrong. As many as there are words: one is
  /// missing at the end.
  package private(set) var looking = 0
  /// Printed even where the rule is accepted.
  package private(set) var warnings: [String] = []
  /// The name that stands where an address should, after an error because of it.
  package private(set) var unknownHost: UnknownHost?

  var clauses: [Clause] = []
  var block = Block()
  /// The protocol that was named last: port names are looked up in it, and `ip6` makes addresses IPv6.
  var proto: Proto = .any

  enum Proto: Equatable {
    case any, ip4, ip6
    case number(UInt8)
  }

  package struct UnknownHost: Equatable, Sendable {
    package let name: String
    /// Which of the words it is in.
    package let word: Int
    /// The versions of IP of which an address would do, the better one first.
    package let versions: [UInt8]
  }

  /// The or-block that is being read.
  struct Block {
    var isOpen = false
    /// A `not` waits for what it negates.
    var negates = false
    /// An `or` was read: the next term belongs to the last clause.
    var joins = false
    /// There is a term that an `or` could follow.
    var canJoin = false
  }

  package init(_ words: [String], names: Names = .system) {
    self.words = words
    self.names = names
  }

  /// - Parameter words: What follows `add`.
  package mutating func rule() throws(RuleError) -> Rule {
    var rule = Rule(action: .count)
    rule.number = try number()
    if hasArgument, let word = peek(), matches(word, Grammar.prefixes.word(for: .set)) {
      position += 1
      let number = try need("missing argument for set")
      guard let set = RuleSet.setNumber(number) else { throw RuleError("illegal set \(number)", .badData) }
      rule.set = set
    }
    if hasArgument, let word = peek(), matches(word, Grammar.prefixes.word(for: .probability)) {
      position += 1
      rule.probability = try probability()
    }
    rule.action = try action()
    try modifiers(&rule)
    let hasFromTo = try fromTo()
    rule.comment = try options()
    rule.hasFromTo = hasFromTo || !canStandAlone(withComment: rule.comment != nil)
    rule.clauses = rule.hasFromTo ? Arrangement.arranged(clauses) : clauses
    rule.unifyMe()
    return rule
  }

  /// Whether options alone, as they are listed, read back: `src-ip any` asks for nothing, so nothing would be listed of
  /// it, and `src-ip any ip6` would begin with what reads as a protocol.
  private func canStandAlone(withComment hasComment: Bool) -> Bool {
    guard let first = clauses.first?.terms.first else { return hasComment }
    if case .version = first.test { return false }
    return true
  }

  /// A rule number, where there is one; beyond 65535 the kernel's answer to what it refuses.
  private mutating func number() throws(RuleError) -> UInt16 {
    guard let word = peek(), startsWithDigit(word) else { return 0 }
    guard word.utf8.allSatisfy(isDigit) else {
      throw RuleError("invalid rule number: \(word)", .usage)
    }
    position += 1
    guard let number = decimal(word), number <= UInt16.max else {
      throw RuleError("getsockopt(IP_FW_XADD): Invalid argument", .unavailable)
    }
    return UInt16(number)
  }

  private mutating func action() throws(RuleError) -> Action {
    let word = try need("missing action")
    switch Grammar.actions.meaning(of: word) {
    case .action(let kind): return try action(ActionKind.table[kind.rawValue], after: word)
    case .comment:
      // "// text" alone is a count rule with a comment
      position -= 1
      return .count
    case .later: throw .later(word)
    case nil: throw RuleError("invalid action \(word)", .badData)
    }
  }

  /// More than 0, at most 1, which is no probability but always.
  private mutating func probability() throws(RuleError) -> UInt32? {
    let word = try need("missing argument for prob")
    let illegal = RuleError("illegal match prob. \(word)", .badData)
    guard let value = Double(word), value > 0, value <= 1 else { throw illegal }
    let millionths = UInt32((value * 1_000_000).rounded())
    // less could not be listed
    guard millionths > 0 else { throw illegal }
    return millionths == 1_000_000 ? nil : millionths
  }

  private mutating func modifiers(_ rule: inout Rule) throws(RuleError) {
    while let word = peek(), let modifier = Grammar.modifiers.meaning(of: word) {
      guard modifier == .log else { throw .later(word) }
      guard rule.logAmount == nil else { throw RuleError("log cannot be specified more than once", .badData) }
      position += 1
      rule.logAmount = 0
      // a second `log` is no abbreviation
      guard let word = peek(), Grammar.modifiers.meaning(of: word) == nil,
        matches(word, Grammar.logOptions.word(for: .logAmount))
      else { continue }
      position += 1
      let number = try need("logamount requires argument")
      guard let amount = decimal(number), amount <= Int32.max else {
        throw RuleError("logamount must be positive", .badData)
      }
      rule.logAmount = UInt32(amount)
    }
  }

  // MARK: Terms

  /// Takes a term into the block; nil is one that asks nothing (`any`).
  mutating func append(_ test: Test?) throws(RuleError) {
    defer { (block.negates, block.joins) = (false, false) }
    guard let test else {
      guard !block.joins else { throw RuleError("invalid OR block", .badData) }
      block.canJoin = false
      return
    }
    let term = Term(test: test, negated: block.negates).normalized
    if block.joins {
      clauses[clauses.count - 1].terms.append(term)
    } else {
      clauses.append(Clause([term]))
    }
    block.canJoin = true
  }

  // MARK: Words

  /// The next word, which stays.
  mutating func peek() -> String? {
    looking = position
    return position < words.count ? words[position] : nil
  }

  /// The next word, taken.
  mutating func next() -> String? {
    looking = position
    guard position < words.count else { return nil }
    position += 1
    return words[position - 1]
  }

  mutating func need(_ missing: String) throws(RuleError) -> String {
    guard let word = next() else { throw RuleError(missing, .usage) }
    return word
  }

  /// Whether another word follows the next one.
  private var hasArgument: Bool { position + 1 < words.count }

  /// Whether a word is a keyword or, with a warning, its beginning.
  mutating func matches(_ word: String, _ keyword: String) -> Bool {
    guard let first = word.utf8.first, first == keyword.utf8.first else { return false }
    if word == keyword { return true }
    guard keyword.hasPrefix(word) else { return false }
    warn(RuleParser.abbreviation(word, keyword))
    return true
  }

  /// The error for a name within the word that was taken last.
  mutating func unknown(_ host: some StringProtocol, _ versions: [UInt8]) -> RuleError {
    unknownHost = UnknownHost(name: String(host), word: position - 1, versions: versions)
    return RuleError("hostname ``\(host)'' unknown", .unknownHost)
  }

  mutating func warn(_ text: String) { warnings.append(text) }

  static func abbreviation(_ word: String, _ keyword: String) -> String {
    "DEPRECATED: '\(word)' matched '\(keyword)' as a sub-string"
  }
}

extension Term {
  /// `not in` is `out`.
  var normalized: Term {
    guard negated, case .direction(let direction) = test else { return self }
    return Term(test: .direction(direction == .incoming ? .outgoing : .incoming))
  }
}

extension Rule {
  /// In a rule for `ip6`, `me` and `me6` are the same.
  package mutating func unifyMe() {
    guard hasFromTo, clauses.contains(Clause(.version(6))),
      Arrangement(clauses).proto == Clause(.version(6))
    else { return }
    for clause in clauses.indices {
      for term in clauses[clause].terms.indices {
        if clauses[clause].terms[term].test == .source(.me6) {
          clauses[clause].terms[term].test = .source(.me)
        } else if clauses[clause].terms[term].test == .destination(.me6) {
          clauses[clause].terms[term].test = .destination(.me)
        }
      }
    }
  }

  /// Reads what follows `add`, warnings apart.
  package init(_ text: String, names: Names = .system) throws(RuleError) {
    var parser = RuleParser(Words.split(text), names: names)
    self = try parser.rule()
  }
}
