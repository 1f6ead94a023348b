/** The words that the page's modules use for what they hand to each other, for editors and `tsc`. */

/** What the server says of a model: `/page/models/NAME`. */
interface Facts {
  name: string;
  kind: "text" | "audio" | "image";
  parts: string[];
  languages: string[];
  source_language: string;
  target_language: string;
  /** Whether texts are cut into sentences. */
  sentences: boolean;
  /** Kind of the tokens of an output. */
  target_tokens: string;
  right_to_left: boolean;
  beam: number;
  alternatives: number;
  methods: string[];
  can: { confidence: boolean; timings: boolean };
}

/** What the server permits: `/page/models`. */
interface Limits {
  characters: number;
  sources: number;
  sound_seconds: number;
  pixels: number;
  body_bytes: number;
  beam: number;
  alternatives: number;
}

interface State {
  model: string;
  part: string;
  /** Code of the source's language, "" for none. */
  from: string;
  to: string;
  text: string;
  nbest: number;
  /** By the number of a sentence, how its output begins. */
  begun: Record<string, string>;
}

interface TokenAlternatives {
  name: string;
  probability: number;
  others: { name: string; probability: number }[];
}

interface Word {
  text: string;
  start: number;
  end: number;
}

interface Hypothesis {
  text: string;
  tokens: string[];
  score: number;
  log_probability: number;
  token_scores: number[];
  confidence?: number;
  word_confidence?: { text: string; confidence: number }[];
  alternatives?: TokenAlternatives[];
  words?: Word[];
}

interface Answer {
  text: string;
  hypotheses: Hypothesis[];
  error?: string;
}

interface Sentence {
  text: string;
  /** Where it begins in the whole. */
  start: number;
  /** What stands behind it. */
  after: string;
}

/** A sentence, or a file, and its answer. */
interface Part {
  source: string | File;
  start: number;
  after: string;
  answer: Answer;
  begun?: string;
}

interface Token {
  /** Its number among the tokens of the output. */
  place: number;
  start: number;
}

interface Piece {
  start: number;
  end: number;
  tokens: Token[];
}

/** What a person points at. */
interface Told {
  /** Of the sentence. */
  number: number;
  hypothesis: Hypothesis;
  piece: Piece;
  element: HTMLElement;
}

interface Explanation {
  source: string[];
  target: string[];
  /** A row for each token of the output. */
  weights: number[][];
  signed: boolean;
  method: string;
  canvas: { column_edges: number[]; row_edges: number[] } | null;
}

interface Branch {
  parent: number;
  name: string;
  log_probability: number;
  total: number;
  fate: string;
  rank: number | null;
}

/** Letters of the source and how they count, -1 to 1. */
interface Shade {
  start: number;
  end: number;
  weight: number;
}

/** Shows weights of a source; of null none. */
type ShowWeights = (found: Explanation | null, weights: number[], told?: any) => void;

/** Where a file is shown. */
interface Stage {
  box: HTMLElement;
  accept: string;
  empty: string;
  buttons: HTMLElement[];
  /** Gives what is to be sent. */
  show(file: File): Promise<File>;
  shade: ShowWeights;
  /** Gives what can be done with an answer. */
  answered(answer: Answer | null): HTMLElement[];
  close(): void;
}

interface TextDocument {
  texts: string[];
  /** The file with answers in their places. */
  written(answers: string[]): string;
}

type Failed = (error: Error) => void;
type Child = Node | string | null | undefined | false;
