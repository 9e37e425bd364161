extension IpfwInvocation {
  /// Puts addresses in place of the names of hosts in the rules to add.
  ///
  /// Names are looked up by whoever calls ipfw: divertd serves packets and must not wait for a name server, so it is
  /// sent addresses only. A name that nobody knows stays, for the parser to complain of.
  ///
  /// - Parameter lookUp: The address of a name, of one of some versions of IP, the first one preferred.
  package mutating func resolveHosts(
    names: Names = .system, lookUp: (_ name: String, _ versions: [UInt8]) -> String?
  ) {
    switch job {
    case .command(let words):
      job = .command(Self.resolved(words, names, lookUp))
    case .lines(let lines):
      job = .lines(
        lines.map { line in
          guard var call = try? IpfwRun.call(line), case .command(let words) = call.job else { return line }
          let resolved = Self.resolved(words, names, lookUp)
          call.job = .command(resolved)
          return resolved == words ? line : call.words.joined(separator: " ")
        })
    case .file: break
    }
  }

  private static func resolved(
    _ words: [String], _ names: Names, _ lookUp: (_ name: String, _ versions: [UInt8]) -> String?
  ) -> [String] {
    guard let line = try? ParsedCommand(words), line.command == .add else { return words }
    var rule = line.arguments
    // each round finds one name more
    while let host = unknownHost(in: rule, names), let address = lookUp(host.name, host.versions) {
      let items = rule[host.word].split(separator: ",", omittingEmptySubsequences: false).map { item in
        // the first one in a block may have its brace before it
        let brace = item.prefix { $0 == "{" || $0 == "(" }
        let rest = item.dropFirst(brace.count)
        return RuleParser.host(rest) == host.name ? brace + address + rest.dropFirst(host.name.count) : item
      }
      let word = items.joined(separator: ",")
      guard word != rule[host.word] else { break }
      rule[host.word] = word
    }
    return words.dropLast(line.arguments.count) + rule
  }

  private static func unknownHost(in rule: [String], _ names: Names) -> RuleParser.UnknownHost? {
    var parser = RuleParser(rule, names: names)
    guard (try? parser.rule()) == nil else { return nil }
    return parser.unknownHost
  }
}
