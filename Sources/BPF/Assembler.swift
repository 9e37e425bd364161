/// A place in a program that jumps can name before it is known.
package struct Label: Hashable, Sendable {
  fileprivate let number: Int
}

package enum AssemblerError: Error, Equatable, CustomStringConvertible {
  case unplacedLabel(slot: Int)
  /// Conditional jumps have 16 bits (RFC 9669 §4.3): beyond that an error, never a wrap.
  case jumpTooFar(slot: Int, distance: Int)

  package var description: String {
    switch self {
    case .unplacedLabel(let slot): "the jump in slot \(slot) names a label that was never placed"
    case .jumpTooFar(let slot, let distance):
      "the jump in slot \(slot) is \(distance) slots long, more than 16 bits hold"
    }
  }
}

/// Collects instructions; jumps name labels, and ``finish()`` turns these into distances.
package struct Assembler: ~Copyable {
  /// Holds the address of the program's variables, which are the stack (r10) or memory of a map.
  package let variables: Register
  private var slots: [Instruction] = []
  private var places: [Int?] = []
  private var jumps: [(slot: Int, to: Label)] = []

  /// - Parameter variables: What the program's own code finds its variables by.
  package init(variables: Register = .r10) { self.variables = variables }

  package var count: Int { slots.count }

  package mutating func append(_ instruction: Instruction) { slots.append(instruction) }

  package mutating func makeLabel() -> Label {
    places.append(nil)
    return Label(number: places.count - 1)
  }

  package mutating func place(_ label: Label) {
    precondition(places[label.number] == nil, "label placed twice")
    places[label.number] = slots.count
  }

  /// A label at this very place.
  package mutating func here() -> Label {
    let label = makeLabel()
    place(label)
    return label
  }

  /// The program, jumps resolved, without the instructions that nothing reaches (the verifier refuses those).
  package consuming func finish() throws(AssemblerError) -> [Instruction] {
    var targets = [Int?](repeating: nil, count: slots.count)
    for jump in jumps {
      guard let place = places[jump.to.number] else { throw .unplacedLabel(slot: jump.slot) }
      targets[jump.slot] = place
    }
    let kept = reachable(targets)
    var position = [Int](repeating: 0, count: slots.count + 1)
    for slot in slots.indices { position[slot + 1] = position[slot] + (kept[slot] ? 1 : 0) }

    for (slot, _) in jumps where kept[slot] {
      guard let target = targets[slot] else { continue }
      let distance = position[target] - position[slot] - 1
      if [Self.longJump, Self.callOpcode, Self.wideLoad].contains(slots[slot].opcode) {
        slots[slot].immediate = Int32(distance)
      } else {
        guard let offset = Int16(exactly: distance) else { throw .jumpTooFar(slot: slot, distance: distance) }
        slots[slot].offset = offset
      }
    }
    return slots.indices.filter { kept[$0] }.map { slots[$0] }
  }

  private func reachable(_ targets: [Int?]) -> [Bool] {
    var reached = [Bool](repeating: false, count: slots.count)
    var waiting = [0]
    while var slot = waiting.popLast() {
      while slot < slots.count, !reached[slot] {
        reached[slot] = true
        let opcode = slots[slot].opcode
        if opcode == Self.wideLoad {
          reached[slot + 1] = true
          if let function = targets[slot] { waiting.append(function) }
          slot += 2
          continue
        }
        if opcode == Self.exitOpcode { break }
        if let target = targets[slot] {
          waiting.append(target)
          if opcode == Self.longJump { break }
        }
        slot += 1
      }
    }
    return reached
  }

  // MARK: Moves and arithmetic (32 bits unless said, the upper half becomes zero)

  package mutating func move(_ destination: Register, _ value: Int32) {
    append(Instruction(opcode: 0xb7, destination: destination, immediate: value))
  }

  /// All 64 bits.
  package mutating func move(_ destination: Register, _ source: Register) {
    append(Instruction(opcode: 0xbf, destination: destination, source: source))
  }

  package mutating func move32(_ destination: Register, _ source: Register) {
    append(Instruction(opcode: 0xbc, destination: destination, source: source))
  }

  package mutating func move32(_ destination: Register, _ value: UInt32) {
    append(Instruction(opcode: 0xb4, destination: destination, immediate: Int32(bitPattern: value)))
  }

  package mutating func calculate(_ operation: Arithmetic, _ destination: Register, _ value: UInt32) {
    append(
      Instruction(
        opcode: 0x04 | operation.rawValue, destination: destination, immediate: Int32(bitPattern: value)))
  }

  package mutating func calculate(_ operation: Arithmetic, _ destination: Register, _ source: Register) {
    append(Instruction(opcode: 0x0c | operation.rawValue, destination: destination, source: source))
  }

  /// On all 64 bits; the immediate is sign-extended.
  package mutating func calculate64(_ operation: Arithmetic, _ destination: Register, _ value: Int32) {
    append(Instruction(opcode: 0x07 | operation.rawValue, destination: destination, immediate: value))
  }

  package mutating func calculate64(_ operation: Arithmetic, _ destination: Register, _ source: Register) {
    append(Instruction(opcode: 0x0f | operation.rawValue, destination: destination, source: source))
  }

  /// Between host and network order, 16 or 32 bits; what is above becomes zero.
  package mutating func swapBigEndian(_ register: Register, bits: Int32) {
    append(Instruction(opcode: 0xdc, destination: register, immediate: bits))
  }

  package mutating func load64(_ destination: Register, _ value: UInt64) {
    append(
      Instruction(
        opcode: Self.wideLoad, destination: destination, immediate: Int32(truncatingIfNeeded: value)))
    append(Instruction(opcode: 0, immediate: Int32(truncatingIfNeeded: value >> 32)))
  }

  /// The address of a map, named by its descriptor (BPF_PSEUDO_MAP_FD).
  package mutating func loadMap(_ destination: Register, _ descriptor: CInt) {
    append(Instruction(opcode: Self.wideLoad, destination: destination, source: .r1, immediate: descriptor))
    append(Instruction(opcode: 0))
  }

  // MARK: Memory

  package mutating func load(_ width: Width, _ destination: Register, from base: Register, _ offset: Int) {
    append(
      Instruction(
        opcode: 0x61 | width.rawValue, destination: destination, source: base, offset: Int16(offset)))
  }

  package mutating func store(_ width: Width, _ source: Register, to base: Register, _ offset: Int) {
    append(
      Instruction(opcode: 0x63 | width.rawValue, destination: base, source: source, offset: Int16(offset)))
  }

  package mutating func store(_ width: Width, value: UInt32, to base: Register, _ offset: Int) {
    append(
      Instruction(
        opcode: 0x62 | width.rawValue, destination: base, offset: Int16(offset),
        immediate: Int32(bitPattern: value)))
  }

  /// Adds a register to 64 bits in memory, atomically: an interrupted program loses no count.
  package mutating func atomicAdd64(_ source: Register, to base: Register, _ offset: Int) {
    append(Instruction(opcode: 0xdb, destination: base, source: source, offset: Int16(offset)))
  }

  /// Puts a register into 32 bits in memory if these are what r0 says, atomically; r0 = what they were (Linux 5.12). All
  /// memory accesses before it come before all behind it.
  package mutating func compareExchange32(_ source: Register, to base: Register, _ offset: Int) {
    append(
      Instruction(
        opcode: Self.atomic32, destination: base, source: source, offset: Int16(offset), immediate: 0xf1))
  }

  /// Exchanges a register and 32 bits in memory, atomically (Linux 5.12), in the same order.
  package mutating func exchange32(_ register: Register, with base: Register, _ offset: Int) {
    append(
      Instruction(
        opcode: Self.atomic32, destination: base, source: register, offset: Int16(offset), immediate: 0xe1))
  }

  private static let atomic32: UInt8 = 0xc3

  // MARK: Control

  package mutating func call(_ helper: Helper) {
    append(Instruction(opcode: Self.callOpcode, immediate: helper.rawValue))
  }

  /// Calls code of this program, which gets r1...r5, ends with ``exit()`` and stands behind all else (BPF_PSEUDO_CALL).
  /// r6...r9 are the caller's again afterwards.
  package mutating func call(_ label: Label) {
    jumps.append((slots.count, label))
    append(Instruction(opcode: Self.callOpcode, source: .r1))
  }

  /// The address of code of this program that the kernel is to call (BPF_PSEUDO_FUNC); like what ``call(_:)`` calls.
  package mutating func loadFunction(_ destination: Register, _ label: Label) {
    jumps.append((slots.count, label))
    append(Instruction(opcode: Self.wideLoad, destination: destination, source: .r4))
    append(Instruction(opcode: 0))
  }

  package mutating func exit() { append(Instruction(opcode: Self.exitOpcode)) }

  private static let longJump: UInt8 = 0x06
  private static let callOpcode: UInt8 = 0x85
  private static let exitOpcode: UInt8 = 0x95
  private static let wideLoad: UInt8 = 0x18

  /// Any distance (a 32-bit offset, Linux 6.6).
  package mutating func jump(to label: Label) {
    jumps.append((slots.count, label))
    append(Instruction(opcode: Self.longJump))
  }

  package mutating func jump(
    if register: Register, _ comparison: Comparison, _ value: UInt32, to label: Label
  ) {
    jumps.append((slots.count, label))
    append(
      Instruction(
        opcode: 0x06 | comparison.rawValue, destination: register, immediate: Int32(bitPattern: value)))
  }

  package mutating func jump(
    if register: Register, _ comparison: Comparison, _ other: Register, to label: Label
  ) {
    jumps.append((slots.count, label))
    append(Instruction(opcode: 0x0e | comparison.rawValue, destination: register, source: other))
  }

  /// A comparison of all 64 bits, as pointers need it.
  package mutating func jump64(
    if register: Register, _ comparison: Comparison, _ value: Int32, to label: Label
  ) {
    jumps.append((slots.count, label))
    append(Instruction(opcode: 0x05 | comparison.rawValue, destination: register, immediate: value))
  }

  package mutating func jump64(
    if register: Register, _ comparison: Comparison, _ other: Register, to label: Label
  ) {
    jumps.append((slots.count, label))
    append(Instruction(opcode: 0x0d | comparison.rawValue, destination: register, source: other))
  }
}

/// The kernel's functions that programs call (bpf-helpers(7)), by number.
package enum Helper: Int32, Sendable {
  case mapLookup = 1
  case randomNumber = 7
  case storeBytes = 9
  case cloneRedirect = 13
  case vlanPush = 18
  case vlanPop = 19
  case redirect = 23
  case loadBytes = 26
  case checksumDifference = 28
  case pullData = 39
  case changeHead = 43
  case socketCookie = 46
  case socketUser = 47
  case routeLookup = 69
  case fullSocket = 95
  case redirectNeighbour = 152
  case ktimeGetCoarseNanoseconds = 160
  case loop = 181
}
