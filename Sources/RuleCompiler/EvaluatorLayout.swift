import Firewall

/// What the evaluator keeps of a packet, as offsets behind those of ``Variable``; the fields that steps ask for lie where
/// ``ImageField`` has them.
extension Variable {
  /// Of the field with number 0.
  static let fields = version

  static func offset(of field: ImageField) -> Int { fields + 4 * Int(field.rawValue) }

  static let fragmentBits = offset(of: .fragmentBits)
  static let via = offset(of: .via)
  static let pass = offset(of: .pass)

  // Of the section that is walked.
  static let count = 264
  static let rules = 268
  static let steps = 272
  static let groupCount = 276
  static let combinations = 280
  static let depth = 284
  static let dimensions = 288
  /// Where the records of its dimensions are, as a half.
  static let records = 292

  // Of the walk; see `PositionWalk`.
  static let from = 296
  static let unindexed = 300
  static let group = 304
  static let word = 308
  static let combination = 312
  static let hasUnknownBase = 316

  // Of the rule that is looked at.
  static let step = 320
  static let argument = 324
  static let flags = 328
  static let threshold = 332
  static let next = 336
  static let action = 340
  static let outcome = 344
  static let low = 348
  static let high = 352

  static let summary = 360
  static let changedGroups = 368
  static let groups = 376
  static let wordsLeft = 384
  static let positions = 392
  static let changedWords = 400
  static let scratch = 408
  /// The summary before any class.
  static let all = 416
  /// Addresses of an IPv6 packet, each as two numbers.
  static let source6 = 424
  static let destination6 = 440
  /// Of each dimension: the packet's class, and its entry for the group, or 0.
  /// The address that is looked up.
  static let address6 = 456
  /// Dimensions that are yet to be looked at, a bit for each.
  static let dimensionsLeft = 472
  /// The section that is judged by next, and the tag after whose rules; the gate's section comes before that of the rules.
  static let section = 480
  static let tagBefore = 484
  static let isGate = 488
  static let classes = 496
  static let entries = classes + 4 * Dimension.slotCount

  /// ``PathEntry/Path``: ``PathEntry/pathSize`` bytes.
  static let path = entries + 4 * Dimension.slotCount
  /// What ``RuleHook`` has found: slot and check of the entry, as `Assembler.findPath` gives them.
  static let pathNumber = path + 80
  /// Of an outgoing packet, the priority tag that it is sent with: type and control information as in the frame; 0: none.
  static let priorityTag = pathNumber + 4

  /// With those of the evaluator.
  static let evaluatorSize = priorityTag + 4
}

/// What the evaluator says.
enum Outcome {
  static let none: UInt32 = 0
  static let allow: UInt32 = 1
  static let deny: UInt32 = 2
  static let divert: UInt32 = 3
  /// Judgement goes on in user space, at the number in `Variable.tag`.
  static let upcall: UInt32 = 4
  /// A gate's rule matches: the fragment is judged with the rest of its datagram.
  static let wait: UInt32 = 5
}

/// Where on the main program's stack its registers are, for the functions that it calls and that the kernel calls for it.
enum Frame {
  static let context = 0
  static let variables = 8
  static let image = 16
  static let mask = 24
  static let size = 32
}
