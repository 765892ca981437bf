import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import jsdoc from 'eslint-plugin-jsdoc';
import tseslint from 'typescript-eslint';

const MODE_FIELDS = '/^(accessMode|accessDeniedMs)$/';
const ACCESS_MODE_MESSAGE =
  'Only src/access/access-mode.ts assigns an access mode: call one of its transitions.';
/** "Never unsealed" is decided by `maySend`. */
const UNSEALED_RULE = {
  selector: ':matches(BinaryExpression, SwitchCase) > Literal[value=/^(never|when-denied)$/]',
  message: 'Only src/access/access-mode.ts reads unsealedFallback: call maySend().',
};
const MODE_ASSIGNMENT_RULE = {
  selector: `AssignmentExpression > MemberExpression.left[property.name=${MODE_FIELDS}]`,
  message: ACCESS_MODE_MESSAGE,
};
const MODE_RULES = [
  {
    selector: `ObjectExpression > Property[key.name=${MODE_FIELDS}]`,
    message: ACCESS_MODE_MESSAGE,
  },
  MODE_ASSIGNMENT_RULE,
  UNSEALED_RULE,
];
/** Changes of a delivery's row; the table's owner makes them from what delivery.ts says. */
const DELIVERY_RULE = {
  selector:
    ':matches(ImportSpecifier[imported.name="rowChange"], ObjectExpression > Property[key.name="table"] > Literal[value="outbox"])',
  message: 'Only src/broadcast/delivery.ts changes a row of the outbox: add a transition to it.',
};

/** The one clock: tests inject another. */
const CLOCK_RULES = [
  'MemberExpression[object.name="Date"][property.name="now"]',
  'MemberExpression[object.name="performance"][property.name="now"]',
  'NewExpression[callee.name="Date"][arguments.length=0]',
  'CallExpression[callee.name=/^set(Timeout|Interval)$/]',
].map((selector) => ({ selector, message: 'Time comes from a Clock (src/util/clock.ts).' }));
/** An error's text begins in lower case, with the operation or the thing that failed. */
const ERROR_TEXT_RULE = {
  selector:
    'NewExpression[callee.name=/Error$/] > :matches(Literal[value=/^[A-Z][a-z]/], TemplateLiteral:has(> TemplateElement:first-child[value.raw=/^[A-Z][a-z]/]))',
  message: 'The text of an error begins in lower case.',
};

export default defineConfig(
  {
    ignores: [
      'vitest.config*.ts',
      'dist/',
      'build/',
      'coverage/',
      'node_modules/',
      'bench/results/',
      'assembly/!(abi).ts',
      'assembly/*/',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: ['./tsconfig.json', './tsconfig.dev.json'] } },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Classes with private static state read better than modules with mutable globals.
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: 'error',
      // One WebAssembly room, one worker room: who says these names elsewhere has taken a wrong
      // turn (DESIGN of the house).
      'no-restricted-globals': [
        'error',
        { name: 'WebAssembly', message: 'Only src/kernel names WebAssembly.' },
      ],
    },
  },
  {
    // TSDoc. TypeDoc demands docs on everything that the package exports (typedoc.json);
    // test/package/public-docs.test.ts demands examples, and checks their types.
    files: ['src/**/*.ts', 'workers/**/*.ts', 'assembly/abi.ts'],
    plugins: { jsdoc },
    settings: { jsdoc: { mode: 'typescript' } },
    rules: {
      'jsdoc/require-jsdoc': [
        'error',
        { publicOnly: true, require: { ClassDeclaration: true, FunctionDeclaration: false } },
      ],
      'jsdoc/informative-docs': ['error', { excludedTags: ['example'] }],
      'jsdoc/check-alignment': 'error',
      'jsdoc/check-param-names': [
        'error',
        { disableMissingParamChecks: true, checkDestructured: false },
      ],
      'jsdoc/check-tag-names': ['error', { typed: true }],
      'jsdoc/check-template-names': 'error',
      'jsdoc/empty-tags': 'error',
      'jsdoc/multiline-blocks': 'error',
      'jsdoc/no-bad-blocks': 'error',
      'jsdoc/no-blank-blocks': 'error',
      'jsdoc/no-types': 'error',
      'jsdoc/require-asterisk-prefix': 'error',
      'jsdoc/require-hyphen-before-param-description': ['error', 'never'],
      'jsdoc/require-param-description': 'error',
      'jsdoc/require-returns-check': 'error',
      'jsdoc/require-returns-description': 'error',
      'jsdoc/require-throws-description': 'error',
      'jsdoc/tag-lines': ['error', 'any', { startLines: 1 }],
    },
  },
  { files: ['src/kernel/**', 'test/**', 'bench/**'], rules: { 'no-restricted-globals': 'off' } },
  // Deprecated names have tests as long as they exist.
  { files: ['test/**'], rules: { '@typescript-eslint/no-deprecated': 'off' } },
  { files: ['test/**', 'bench/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/store/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ERROR_TEXT_RULE,
        ...CLOCK_RULES,
        ...MODE_RULES,
        DELIVERY_RULE,
      ],
    },
  },
  {
    files: ['src/access/access-mode.ts'],
    rules: { 'no-restricted-syntax': ['error', ERROR_TEXT_RULE, ...CLOCK_RULES, DELIVERY_RULE] },
  },
  {
    files: ['src/broadcast/delivery.ts'],
    rules: { 'no-restricted-syntax': ['error', ERROR_TEXT_RULE, ...CLOCK_RULES, ...MODE_RULES] },
  },
  {
    files: ['src/util/clock.ts'],
    rules: { 'no-restricted-syntax': ['error', ERROR_TEXT_RULE] },
  },
  {
    // The codec reads a mode from the disk; it names none.
    files: ['src/store/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ERROR_TEXT_RULE,
        ...CLOCK_RULES,
        {
          selector: `ObjectExpression > Property[key.name=${MODE_FIELDS}] > Literal[value=/^(unknown|enabled|unrestricted|disabled)$/]`,
          message: ACCESS_MODE_MESSAGE,
        },
        MODE_ASSIGNMENT_RULE,
        UNSEALED_RULE,
      ],
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        AbortSignal: 'readonly',
        fetch: 'readonly',
        clearTimeout: 'readonly',
        console: 'readonly',
        process: 'readonly',
        setTimeout: 'readonly',
        URL: 'readonly',
        WebAssembly: 'readonly',
      },
    },
  },
);
