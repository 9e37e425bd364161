/// Files of rules: a line for each, as one would type it behind `ipfw`.
package enum RuleFile {
  /// Adds the rules of a file, all or none.
  ///
  /// A line is `add …`, also with `ipfw` before it; `delete …` and `flush` work as well. What follows `#` is a
  /// comment, empty lines are skipped, and nothing is asked.
  ///
  /// - Parameter lookUp: As for ``IpfwInvocation/resolveHosts(names:lookUp:)``; nil: names of hosts are unknown.
  /// - Throws: The first error, its text beginning with the line: `Line 7: …`.
  package static func load(
    text: String, into ruleSet: RuleSet, names: Names = .system,
    lookUp: ((_ name: String, _ versions: [UInt8]) -> String?)? = nil
  ) throws(RuleError) -> RuleSet {
    var run = IpfwRun(ruleSet: ruleSet, names: names)
    var nowhere = DetachedRules(ruleSet)
    for (index, line) in TextFile.lines(of: text).enumerated() {
      do throws(RuleError) {
        try run.load(line, &nowhere, lookUp)
      } catch {
        throw RuleError("Line \(index + 1): \(error.text)", error.status)
      }
    }
    return run.ruleSet
  }
}

extension IpfwRun {
  fileprivate mutating func load(
    _ line: Substring, _ nowhere: inout DetachedRules, _ lookUp: ((String, [UInt8]) -> String?)?
  ) throws(RuleError) {
    var words = Words.split(line.utf8, until: UInt8(ascii: "#"))
    if words.first == "ipfw" { words.removeFirst() }
    guard !words.isEmpty else { return }
    // One word alone would be a line of its own.
    var call = try IpfwInvocation(words)
    if let lookUp { call.resolveHosts(names: names, lookUp: lookUp) }
    guard case .command(let command) = call.job else { throw IpfwFlags.usage }
    let line = try ParsedCommand(command)
    switch line.command {
    case .list, .show, .zero, .resetlog: throw RuleError("`\(line.word)' is nothing to load", .usage)
    case .add, .delete, .flush, .set, .later: break
    }
    call.flags.isForced = true
    try perform(call, &nowhere)
  }
}
