/// Which clauses of a rule are listed within `PROTO from … to …`, and which behind, as options.
///
/// ipfw lists options about protocol, addresses and ports in the from/to part when that part says nothing of
/// their kind: `ip from any to any dst-port 80` becomes `ip from any to any 80` (ipfw2.c, `print_address`,
/// `print_proto`). Of several clauses of a kind the first goes there, of several about ports none.
struct Arrangement {
  var proto: Clause?
  var source: Clause?
  var sourcePort: Clause?
  var destination: Clause?
  var destinationPort: Clause?
  var options: [Clause] = []

  init(_ clauses: [Clause]) {
    // `tcp from any to any ip6` is listed as `ip6 from any to any proto tcp`
    let version = clauses.firstIndex { clause in
      Self.place(of: clause) == .proto
        && clause.terms.contains { if case .version = $0.test { true } else { false } }
    }
    let protoIndex = version ?? clauses.firstIndex { Self.place(of: $0) == .proto }
    let sourceIndex = clauses.firstIndex { Self.place(of: $0) == .source }
    let destinationIndex = clauses.firstIndex { Self.place(of: $0) == .destination }
    let sourcePortIndex = Self.onlyIndex(of: .sourcePort, clauses)
    let destinationPortIndex = Self.onlyIndex(of: .destinationPort, clauses)
    for (index, clause) in clauses.enumerated() {
      if index == protoIndex {
        proto = clause
      } else if index == sourceIndex {
        source = clause
      } else if index == destinationIndex {
        destination = clause
      } else if index == sourcePortIndex {
        sourcePort = clause
      } else if index == destinationPortIndex {
        destinationPort = clause
      } else {
        options.append(clause)
      }
    }
  }

  /// Clauses in the order of listing.
  static func arranged(_ clauses: [Clause]) -> [Clause] {
    isArranged(clauses) ? clauses : Arrangement(clauses).clauses
  }

  /// Whether each part is there once at most, and in its order, as most rules are typed. What asks for several things is
  /// looked at more closely.
  private static func isArranged(_ clauses: [Clause]) -> Bool {
    var last = -1
    for clause in clauses {
      guard clause.terms.count == 1 else { return false }
      let place = clause.terms[0].test.option.place
      guard place.rawValue > last || place == .option else { return false }
      last = place.rawValue
    }
    return true
  }

  var clauses: [Clause] {
    [proto, source, sourcePort, destination, destinationPort].compactMap(\.self) + options
  }

  /// Neither protocol nor address nor port is asked for.
  var isAnyToAny: Bool {
    proto == nil && source == nil && sourcePort == nil && destination == nil && destinationPort == nil
  }

  /// Blocks that ask for several kinds are options.
  private static func place(of clause: Clause) -> ListingPlace {
    guard let first = clause.terms.first?.test.option.place,
      clause.terms.allSatisfy({ $0.test.option.place == first })
    else { return .option }
    return first
  }

  private static func onlyIndex(of place: ListingPlace, _ clauses: [Clause]) -> Int? {
    var found: Int?
    for (index, clause) in clauses.enumerated() {
      for term in clause.terms where term.test.option.place == place {
        guard found == nil, clause.terms.count == 1 else { return nil }
        found = index
      }
    }
    return found
  }
}
